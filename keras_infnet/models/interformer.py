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
    """Predicts from fields and events that read each other in every block.

    Neither is pooled before the end. In each block
    (`keras_infnet.layers.InterFormerBlock`) the fields interact with a short
    summary of the events, and the events are transformed by weights made from
    a short summary of the fields. All `Numeric` fields make one token, each
    `Categorical` one; the target item is no special field. A tower a task reads
    an MLP on the last two summaries side by side.

    What follows the paper's equations to the letter: `gate="paper"`,
    `pffn="lowrank"`, `residual=False`, `final_cross=False`. The defaults train
    better when blocks are stacked.

    The interaction of `P` tokens of width `d` with `N` fields has about
    `N P d^2` weights a block: a schema of very many fields wants a smaller
    `token_dim`.

    Args:
        token_dim: integer. Width of a token and of an embedding. Defaults to
            `64`.
        num_layers: integer. Blocks. Defaults to `3`.
        num_heads: integer. Heads of every attention. They must divide
            `token_dim` into heads of even width. Defaults to `4`.
        num_summary_tokens: integer. Tokens that sum up the fields. Defaults to
            `4`.
        num_pma_tokens: integer. Learned queries that read the events. Defaults
            to `2`.
        num_recent_tokens: integer. Newest events that the fields see as they
            are; of every behavior with `merge="time"`. Defaults to `2`.
        interaction: `"dot"`, `"dcnv2"` or `"dhen"` (both together), see
            `keras_infnet.layers.InteractionArch`. Defaults to `"dhen"`.
        num_interaction_layers: integer. Layers of the interaction in a block;
            1 with `"dot"`. Defaults to `1`.
        cross_rank: integer. Rank of the crosses. Defaults to `32`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`, see
            `keras_infnet.layers.PersonalizedFFN`. Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`; `None`
            is `token_dim`. Defaults to `None`.
        gate: `"self"` or `"paper"`, see `keras_infnet.layers.SelfGate`.
            Defaults to `"self"`.
        gate_activation: string or callable. Used by `gate="paper"`, which
            names `"sigmoid"`, `"tanh"` and `"linear"`. Defaults to
            `"sigmoid"`.
        residual: boolean. Whether blocks have residuals and norms. Defaults to
            `True`.
        final_cross: boolean. Whether the towers read summaries of what the
            last block returns. `False` is the paper's algorithm, which reads
            those made at the start of the last block; what nobody reads is
            not built, so that block is its summaries alone. Defaults to
            `True`.
        exchange: `"both"`, `"n2s"` (events read fields only), `"s2n"` (fields
            read events only) or `"none"`. Defaults to `"both"`.
        merge: `"feature"` (one token of the newest events of all behaviors,
            one of the newest but one, and so on) or `"time"` (one token an
            event, behaviors one after the other). Defaults to `"feature"`.
        hidden_dims: sequence of integers. Widths of the MLP on the summaries.
            Defaults to `(1024, 512, 256)`.
        tower_dims: sequence of integers. Defaults to `()`.
        activation: string or callable. Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer of the MLP
            and the towers, and behind the attention of events. Defaults to
            `0.1`.

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
        # Its `token_dim` stands for `embedding_dim`, which it does not take.
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(schema, name=name, dtype=dtype)

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Embeddings are as wide as tokens."""
        check_positive(token_dim=settings["token_dim"])
        return int(settings["token_dim"])

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Stacks blocks, and an MLP on the last summaries.

        As the trunk of another model, whose embeddings have a width of their
        own, it maps those of the fields to `token_dim`.
        """
        _check(features, settings)
        state = _first_state(features, settings)
        if settings["exchange"] in ("s2n", "none"):
            # One learned constant is what all events read in place of fields.
            state["summary"] = state["cls"] = LearnedTokens(
                settings["num_summary_tokens"],
                settings["token_dim"],
                dtype=features.dtype,
                name="learned_summary",
            )(state["tokens"])
        # Without a final cross, the last block is its cross arch alone.
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
    """Raises for what no layer would refuse, or too late to be understood."""
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
    """Arguments of blocks and of the final cross, and their recent events."""
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
    """Tokens of the fields and of the events."""
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
    """One token for all `Numeric` fields together, one a `Categorical`."""
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
