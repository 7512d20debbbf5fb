"""OneTrans: one transformer for events and fields."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import (
    MLP,
    LearnedTokens,
    OneTransBlock,
    RecentTokens,
)
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["OneTrans"]


@export("keras_infnet.models.OneTrans")
class OneTrans(TrunkRanker):
    """Encodes events and fields by one causal transformer.

    An MLP per behavior maps an event with all its attributes to a token, and
    another MLP maps all fields to `num_tokens` tokens. If all behaviors are
    timed, events are merged by time (by the bucket of the gap to the request,
    and in the order of the schema within a bucket) and add a learned vector of
    their behavior. Otherwise behaviors follow one another, with a learned
    separator token between them.

    In every block of causal attention, all events share weights and each field
    token has its own (see `keras_infnet.layers.OneTransBlock`). With `pyramid`
    only the newest events are queries: all in the first block, then a number
    that decreases linearly to `num_tokens`. The last block computes no events,
    since the towers read the concatenated field tokens only.

    Args:
        token_dim: integer. Width of a token. Defaults to `256`.
        num_tokens: integer. Number of field tokens. Defaults to `4`.
        num_layers: integer. Defaults to `3`.
        num_heads: integer. Must divide `token_dim`. Defaults to `2`.
        expansion: integer. Width of the hidden layers of the blocks relative
            to `token_dim`. Defaults to `4`.
        tokenizer_dims: sequence of integers. Hidden widths of the MLPs that
            make tokens. Defaults to `(256,)`.
        pyramid: boolean. Whether the number of events that are queries
            decreases from block to block. Defaults to `True`.
        activation: string or callable. Defaults to `"gelu"`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or has no behavior.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = OneTrans(schema, token_dim=8, num_layers=2)
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [OneTrans](https://arxiv.org/abs/2510.26104)
    """

    presets = {
        "small": {
            "token_dim": 64,
            "num_layers": 2,
            "tokenizer_dims": (64,),
            "tower_dims": (64,),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        token_dim: int = 256,
        num_tokens: int = 4,
        num_layers: int = 3,
        num_heads: int = 2,
        expansion: int = 4,
        tokenizer_dims: Sequence[int] = (256,),
        pyramid: bool = True,
        activation: Any = "gelu",
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Returns the field tokens of the last block."""
        count, width = settings["num_tokens"], settings["token_dim"]
        check_positive(
            token_dim=width,
            num_tokens=count,
            num_layers=settings["num_layers"],
        )
        features.check_behaviors(cls.__name__)
        sequence, valid = _events(features, settings)
        fields = _mlp(count * width, features, settings, "field_tokens")(
            flatten(features.fields)
        )
        fields = ops.reshape(fields, (-1, count, width))
        for i, queries in enumerate(_schedule(sequence.shape[1], settings)):
            state = OneTransBlock(
                settings["num_heads"],
                num_queries=queries,
                expansion=settings["expansion"],
                activation=settings["activation"],
                dropout=settings["dropout"],
                dtype=features.dtype,
                name=f"block_{i}",
            )(sequence, fields, valid)
            fields = state["fields"]
            if queries:
                sequence, valid = state["sequence"], valid[:, -queries:]
        return flatten(fields)


def _schedule(length: int, settings: Settings) -> list[int]:
    """Returns the number of events that are queries, per block."""
    steps = settings["num_layers"] - 1
    surplus = max(length - settings["num_tokens"], 0)
    if not settings["pyramid"]:
        surplus = 0
    # The towers do not read the events of the last block.
    return [length - surplus * i // steps for i in range(steps)] + [0]


def _events(features: Features, settings: Settings) -> tuple[Any, Any]:
    """Returns the tokens of all events, newest last, and their mask."""
    behaviors, width = features.schema.behaviors, settings["token_dim"]
    merged = all(behavior.timed for behavior in behaviors)
    length = sum(behavior.max_length for behavior in behaviors)
    tokens, masks, gaps, learned = [], [], [], None
    if len(behaviors) > 1:
        learned = LearnedTokens(
            len(behaviors) if merged else 1,
            width,
            dtype=features.dtype,
            name="behavior_types" if merged else "behavior_separator",
        )(features.fields)
    for i, behavior in enumerate(behaviors):
        name = behavior.name
        if i and learned is not None and not merged:
            length += 1
            tokens.append(learned)
            masks.append(ops.ones_like(features.fields[:, :1, 0], dtype="bool"))
        events = features.events[name]
        joined = ops.concatenate(
            [events[:, :, j] for j in range(events.shape[2])], axis=-1
        )
        token = _mlp(width, features, settings, f"{name}_tokens")(joined)
        if learned is not None and merged:
            token = token + learned[:, i : i + 1]
        tokens.append(token)
        masks.append(features.inputs[behavior.mask_input])
        if merged:
            gaps.append(features.inputs[behavior.gap_input])
    return _recent(
        ops.concatenate(tokens, axis=1),
        ops.concatenate(masks, axis=1),
        ops.concatenate(gaps, axis=1) if merged else None,
        length,
        features.dtype,
    )


def _recent(
    tokens: Any, valid: Any, gap: Any, length: int, dtype: Any
) -> tuple[Any, Any]:
    """Returns the newest tokens, right-aligned, and their mask."""
    # An extra column carries the mask: 1 for valid tokens.
    known = ops.expand_dims(ops.cast(valid, tokens.dtype), -1)
    marked = RecentTokens(length, dtype=dtype, name="recent_events")(
        ops.concatenate([tokens, known], axis=-1), valid, gap
    )
    return marked[:, :, :-1], ops.greater(marked[:, :, -1], 0.5)


def _mlp(units: int, features: Features, settings: Settings, name: str) -> MLP:
    return MLP(
        units,
        hidden_dims=settings["tokenizer_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )
