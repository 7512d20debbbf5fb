"""InterFormer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import (
    CrossArch,
    EventStream,
    InterFormerBlock,
    LearnedTokens,
)
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Numeric, Schema
from keras_infnet.utils.argument_checks import check_choice, check_positive

__all__ = ["InterFormer"]

_CHOICES = {
    "interaction": ("dot", "dcnv2", "dhen"),
    "pffn": ("lowrank", "hyper", "twolayer"),
    "gate": ("self", "paper"),
    "exchange": ("both", "n2s", "s2n", "none"),
    "merge": ("feature", "time"),
}


@export("keras_infnet.models.InterFormer")
class InterFormer(TrunkRanker):
    """Lets fields and events exchange information in every block.

    In each block (`keras_infnet.layers.InterFormerBlock`) the fields interact
    with a short summary of the events, and the events are transformed by
    weights that depend on a short summary of the fields. All `Numeric` fields
    together are one token, every `Categorical` is one token, and the target
    item is treated like any field. The towers read an MLP on the last
    summaries of fields and events.

    `gate="paper"`, `pffn="lowrank"`, `residual=False` and `final_cross=False`
    follow the paper's equations literally. The defaults train better with
    several blocks.

    The interaction of `P` tokens of width `d` with `N` fields has about
    `N P d^2` weights per block: use a smaller `token_dim` for many fields.

    Args:
        token_dim: integer. Width of a token and of an embedding. Defaults to
            `64`.
        num_layers: integer. Number of blocks. Defaults to `3`.
        num_heads: integer. Attention heads; `token_dim / num_heads` must be an
            even integer. Defaults to `4`.
        num_summary_tokens: integer. Summary tokens of the fields. Defaults to
            `4`.
        num_pma_tokens: integer. Learned queries that pool the events. Defaults
            to `2`.
        num_recent_tokens: integer. Newest events in the summary of the events;
            per behavior with `merge="time"`. Defaults to `2`.
        interaction: `"dot"`, `"dcnv2"` or `"dhen"` (both together), see
            `keras_infnet.layers.InteractionArch`. Defaults to `"dhen"`.
        num_interaction_layers: integer. Interaction layers per block; must
            be 1 with `"dot"`. Defaults to `1`.
        cross_rank: integer. Rank of the cross layers. Defaults to `32`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`, see
            `keras_infnet.layers.PersonalizedFFN`. Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`; `None`
            is `token_dim`. Defaults to `None`.
        gate: `"self"` or `"paper"`, see `keras_infnet.layers.SelfGate`.
            Defaults to `"self"`.
        gate_activation: string or callable. Activation of `gate="paper"`; the
            paper names `"sigmoid"`, `"tanh"` and `"linear"`. Defaults to
            `"sigmoid"`.
        residual: boolean. Whether blocks have residual connections and
            normalization. Defaults to `True`.
        final_cross: boolean. Whether the towers read summaries of the outputs
            of the last block. With `False`, as in the paper's algorithm, they
            read the summaries of its inputs, and its other parts are not
            built. Defaults to `True`.
        exchange: `"both"`, `"n2s"` (events read fields only), `"s2n"` (fields
            read events only) or `"none"`. Defaults to `"both"`.
        merge: `"feature"` (one token of the newest events of all behaviors,
            one of the second newest, and so on) or `"time"` (one token per
            event, behaviors one after another). Defaults to `"feature"`.
        hidden_dims: sequence of integers. Widths of the MLP on the summaries.
            Defaults to `(1024, 512, 256)`.
        tower_dims: sequence of integers. Defaults to `()`.
        activation: string or callable. Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate after the hidden layers of the MLP and
            the towers, and after the attention of events. Defaults to `0.1`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, or the schema
            is not fitted or has no behavior.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     behaviors=[Behavior("clicks", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = InterFormer(
    ...     schema, token_dim=4, num_layers=1, num_heads=2, hidden_dims=(8,)
    ... )
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852)
    """

    presets = {
        "small": {"token_dim": 16, "num_layers": 2, "hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        token_dim: int = 64,
        num_layers: int = 3,
        num_heads: int = 4,
        num_summary_tokens: int = 4,
        num_pma_tokens: int = 2,
        num_recent_tokens: int = 2,
        interaction: str = "dhen",
        num_interaction_layers: int = 1,
        cross_rank: int = 32,
        pffn: str = "hyper",
        pffn_hidden_dim: int | None = None,
        gate: str = "self",
        gate_activation: Any = "sigmoid",
        residual: bool = True,
        final_cross: bool = True,
        exchange: str = "both",
        merge: str = "feature",
        hidden_dims: Sequence[int] = (1024, 512, 256),
        tower_dims: Sequence[int] = (),
        activation: Any = "silu",
        dropout: float = 0.1,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        tower: Any = None,
        # No `**kwargs`: `token_dim` replaces `embedding_dim`.
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(schema, name=name, dtype=dtype)

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Returns the width of a token."""
        check_positive(token_dim=settings["token_dim"])
        return int(settings["token_dim"])

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Applies an MLP to the summaries of the last block.

        In a model that uses it as trunk, embeddings may have another width
        than `token_dim`; a dense layer then projects the fields.
        """
        _check(features, settings)
        state = _first_state(features, settings)
        if settings["exchange"] in ("s2n", "none"):
            # Events read learned constants in place of the fields.
            state["summary"] = state["cls"] = LearnedTokens(
                settings["num_summary_tokens"],
                settings["token_dim"],
                dtype=features.dtype,
                name="learned_summary",
            )(state["tokens"])
        # Without `final_cross`, the last block has only its cross arch.
        shared, num_recent = _shared(features, settings)
        for i in range(settings["num_layers"] - (not settings["final_cross"])):
            block = InterFormerBlock(
                num_recent_tokens=num_recent,
                interaction=settings["interaction"],
                num_interaction_layers=settings["num_interaction_layers"],
                cross_rank=settings["cross_rank"],
                pffn=settings["pffn"],
                pffn_hidden_dim=settings["pffn_hidden_dim"],
                residual=settings["residual"],
                exchange=settings["exchange"],
                dropout=settings["dropout"],
                name=f"block_{i}",
                **shared,
            )
            state = {**state, **block(**state)}
        names = ("tokens", "events", "events_mask", "recent", "cls")
        sums = CrossArch(
            num_recent_tokens=num_recent, name="final_cross", **shared
        )(**{name: state[name] for name in names if name in state})
        both = ops.concatenate([sums["tokens"], sums["sequence"]], axis=1)
        return hidden_layers(flatten(both), features, settings)


def _check(features: Features, settings: Settings) -> None:
    """Checks settings before the graph is built."""
    check_positive(
        **{
            name: settings[name]
            for name in ("token_dim", "num_layers", "num_heads")
        }
    )
    width, heads = settings["token_dim"], settings["num_heads"]
    if width % heads or width // heads % 2:
        fitting = [n for n in range(1, width + 1) if width % (2 * n) == 0]
        raise ValueError(
            "`num_heads` must divide `token_dim` into heads of even width. "
            f"Received: num_heads={heads}, token_dim={width}. "
            f"Use one of {fitting}."
        )
    for name, choices in _CHOICES.items():
        check_choice(name, settings[name], choices)
    features.check_behaviors("InterFormer")


def _shared(
    features: Features, settings: Settings
) -> tuple[dict[str, Any], int]:
    """Returns arguments of all blocks, and the number of recent tokens."""
    shared = {
        "num_heads": settings["num_heads"],
        "num_summary_tokens": settings["num_summary_tokens"],
        "num_pma_tokens": settings["num_pma_tokens"],
        "gate": settings["gate"],
        "gate_activation": settings["gate_activation"],
        "activation": settings["activation"],
        "dtype": features.dtype,
    }
    num_recent = settings["num_recent_tokens"]
    if settings["merge"] == "time":
        num_recent *= len(features.schema.behaviors)
    return shared, num_recent


def _first_state(features: Features, settings: Settings) -> dict[str, Any]:
    """Returns the inputs of the first block."""
    names = [behavior.name for behavior in features.schema.behaviors]
    masks = {
        behavior.name: features.inputs[behavior.mask_input]
        for behavior in features.schema.behaviors
    }
    stream = EventStream(
        names,
        settings["token_dim"],
        settings["num_recent_tokens"],
        merge=settings["merge"],
        activation=settings["activation"],
        dtype=features.dtype,
        name="event_stream",
    )({name: features.events[name] for name in names}, mask=masks)
    return {
        "tokens": _field_tokens(features, settings["token_dim"]),
        "events": stream.pop("tokens"),
        "events_mask": stream.pop("mask"),
        **stream,
    }


def _field_tokens(features: Features, dim: int) -> Any:
    """Returns one token for all `Numeric` fields, one per `Categorical`."""
    fields = features.schema.fields
    numeric = [i for i, part in enumerate(fields) if isinstance(part, Numeric)]
    others = [i for i in range(len(fields)) if i not in numeric]

    def dense(name: str) -> Any:
        return keras.layers.Dense(dim, dtype=features.dtype, name=name)

    tokens = []
    if numeric:
        joined = flatten(ops.take(features.fields, numeric, axis=1))
        tokens.append(ops.expand_dims(dense("numeric_token")(joined), 1))
    if others:
        rest = features.fields
        if numeric:
            rest = ops.take(rest, others, axis=1)
        if rest.shape[-1] != dim:
            rest = dense("field_tokens")(rest)
        tokens.append(rest)
    return ops.concatenate(tokens, axis=1) if tokens[1:] else tokens[0]
