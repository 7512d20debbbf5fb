"""Deep interest evolution network."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import InterestEvolution
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features, TargetView, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_number

__all__ = ["DIEN"]


@export("keras_infnet.models.DIEN")
class DIEN(TrunkRanker):
    """Predicts from how the interest in the target has changed.

    For every behavior one GRU reads the events, and a second one, led by the
    target, its states (see `keras_infnet.layers.InterestEvolution`). Its last
    state, all fields, and the means of attributes without a field go through
    an MLP; a tower a task reads its last hidden layer `h`.

    With `negatives` and `aux_loss_weight`, every state of the first GRU is
    asked to tell the next event from one that did not happen. A behavior of
    negatives holds, event by event, something else that was on offer; it is
    read by this loss alone.

    Args:
        gru_type: `"augru"`, `"agru"`, `"aigru"` or `"gru"`. Defaults to
            `"augru"`.
        attention: `"bilinear"`, `"dot"` or `"din"`, an MLP. Defaults to
            `"bilinear"`.
        attention_dims: sequence of integers. Hidden widths of that MLP.
            Defaults to `(64,)`.
        use_sum_pooling: boolean. Whether the MLP also reads the sum over the
            events and its product with the target. Defaults to `False`.
        aux_loss_weight: float. Weight of the auxiliary loss. Defaults to `0.0`.
        negatives: dict of the name of a behavior to that of the behavior of
            its negatives, which has the same attributes and length. Needed for
            the auxiliary loss. Defaults to `None`.
        hidden_dims: sequence of integers. Widths of the MLP; without any the
            towers read what it would. Defaults to `(200, 80)`.
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
        """Reads behaviors by two GRUs, and an MLP on top."""
        negatives = dict(settings["negatives"] or {})
        _check_negatives(features.schema, negatives, settings)
        views = {view.name: view for view in features.targets(cls.__name__)}
        parts = [flatten(features.fields)]
        for name, view in views.items():
            if name in negatives.values():
                continue
            if view.query is not None:
                other = views.get(negatives.get(name, ""))
                parts += _read(view, other, features, settings)
            if view.others is not None:
                parts.append(flatten(view.others))
        return hidden_layers(
            ops.concatenate(parts, axis=-1) if parts[1:] else parts[0],
            features,
            settings,
        )


def _read(
    view: TargetView,
    negatives: TargetView | None,
    features: Features,
    settings: Settings,
) -> list[Any]:
    """Reads one behavior; tensors of shape `(batch, width)`."""
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
    return [flatten(part) for part in parts]


def _check_negatives(
    schema: Schema, negatives: Mapping[str, str], settings: Settings
) -> None:
    check_number("aux_loss_weight", settings["aux_loss_weight"])
    if settings["aux_loss_weight"] and not negatives:
        raise ValueError(
            "the auxiliary loss needs events that did not happen: name the "
            "behavior of negatives of each behavior in `negatives`. "
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
