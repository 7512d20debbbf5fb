"""Deep interest evolution network (DIEN)."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import InterestEvolution
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import (
    Features,
    TargetView,
    flatten,
    join_behaviors,
)
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_number

__all__ = ["DIEN"]


@export("keras_infnet.models.DIEN")
class DIEN(TrunkRanker):
    """Models how the interest in the target item evolves over past events.

    For every behavior, a GRU reads the events, and a second GRU, gated by
    attention to the target, reads its states (see
    `keras_infnet.layers.InterestEvolution`). An MLP reads the last states, all
    fields, and the means of attributes without a field; the towers read its
    last hidden layer.

    With `negatives` and `aux_loss_weight`, an auxiliary loss trains every
    state of the first GRU to distinguish the next event from a negative one.
    A behavior of negatives holds one negative event per event; only this loss
    reads it.

    Args:
        gru_type: `"augru"`, `"agru"`, `"aigru"` or `"gru"`. Defaults to
            `"augru"`.
        attention: `"bilinear"`, `"dot"` or `"din"` (an MLP). Defaults to
            `"bilinear"`.
        attention_dims: sequence of integers. Hidden widths of the attention
            MLP. Defaults to `(64,)`.
        use_sum_pooling: boolean. Whether the MLP on top also reads the sum of
            the events and its product with the target. Defaults to `False`.
        aux_loss_weight: float. Weight of the auxiliary loss. Defaults to `0.0`.
        negatives: dict of the name of a behavior to that of the behavior of
            its negatives, which has the same attributes and length. Needed for
            the auxiliary loss. Defaults to `None`.
        hidden_dims: sequence of integers. Widths of the MLP on top; `()`
            omits it. Defaults to `(200, 80)`.
        tower_dims: sequence of integers. Defaults to `()`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, no behavior shares a table with a field, or negatives
            do not fit their behavior.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = DIEN(schema, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [DIEN](https://arxiv.org/abs/1809.03672)
    """

    presets = {"small": {"hidden_dims": (128, 64)}, "base": {}}

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        gru_type: str = "augru",
        attention: str = "bilinear",
        attention_dims: Sequence[int] = (64,),
        use_sum_pooling: bool = False,
        aux_loss_weight: float = 0.0,
        negatives: Mapping[str, str] | None = None,
        hidden_dims: Sequence[int] = (200, 80),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Applies an MLP to the fields and the encoded behaviors."""
        negatives = dict(settings["negatives"] or {})
        _check_negatives(features.schema, negatives, settings)
        views = {view.name: view for view in features.targets(cls.__name__)}

        def pool(view: TargetView) -> Any:
            other = views.get(negatives.get(view.name, ""))
            return _encode(view, other, features, settings)

        # Only the auxiliary loss reads the negatives.
        positives = [
            view for n, view in views.items() if n not in negatives.values()
        ]
        vector = join_behaviors(features, positives, pool)
        return hidden_layers(vector, features, settings)


def _encode(
    view: TargetView,
    negatives: TargetView | None,
    features: Features,
    settings: Settings,
) -> Any:
    """Encodes a behavior by two GRUs: `(batch, width)`."""
    evolve = InterestEvolution(
        settings["gru_type"],
        settings["attention"],
        attention_dims=settings["attention_dims"],
        auxiliary_weight=settings["aux_loss_weight"],
        activation=settings["activation"],
        dtype=features.dtype,
        name=f"{view.name}_evolution",
    )
    others = () if negatives is None else (negatives.events,)
    parts = [evolve(view.query, view.events, view.mask, *others)]
    if settings["use_sum_pooling"]:
        total = ops.einsum(
            "bt,btad->bad",
            ops.cast(view.mask, "float32"),
            ops.cast(view.events, "float32"),
        )
        total = ops.cast(total, view.events.dtype)
        parts += [total, total * view.query]
    return ops.concatenate([flatten(part) for part in parts], axis=-1)


def _check_negatives(
    schema: Schema, negatives: Mapping[str, str], settings: Settings
) -> None:
    check_number("aux_loss_weight", settings["aux_loss_weight"])
    if settings["aux_loss_weight"] and not negatives:
        raise ValueError(
            "the auxiliary loss needs negative events: name the behavior of "
            "negatives of each behavior in `negatives`. "
            f"Received: aux_loss_weight={settings['aux_loss_weight']}, "
            "negatives=None."
        )
    known = {behavior.name: behavior for behavior in schema.behaviors}
    for pair in negatives.items():
        for name in pair:
            if name not in known:
                raise ValueError(nearest_name(name, known, "behavior"))
        tables = [
            [part.table_name for part in schema.attributes(known[name])]
            for name in pair
        ]
        lengths = [known[name].max_length for name in pair]
        if tables[0] != tables[1] or lengths[0] != lengths[1]:
            raise ValueError(
                f"behavior {pair[1]!r} holds the negatives of {pair[0]!r}: "
                "both need the same attributes and length. Received: "
                f"attributes {tables[1]} and {tables[0]}, lengths "
                f"{lengths[1]} and {lengths[0]}."
            )
