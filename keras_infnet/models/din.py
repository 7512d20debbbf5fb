"""Deep interest network."""

from collections.abc import Sequence
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers import TargetAttention
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import (
    Features,
    TargetView,
    flatten,
    join_behaviors,
)
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema

__all__ = ["DIN", "interest_vector"]


@export("keras_infnet.models.DIN")
class DIN(TrunkRanker):
    """Weights past events by their relevance to the target item.

    Every behavior is pooled as `sum_t a_t h_t` with
    `a_t = MLP([q, h_t, q - h_t, q * h_t])` (see
    `keras_infnet.layers.TargetAttention`). The query `q` concatenates the
    fields that share a table with an attribute of the behavior; attributes
    without such a field are averaged. An MLP reads all fields and pooled
    behaviors, and the towers read its last hidden layer.

    Args:
        attention_dims: sequence of integers. Hidden widths of the attention
            unit. Defaults to `(64,)`.
        attention_activation: string or callable. Activation of the attention
            unit; `"dice"` is `keras_infnet.layers.Dice`. Defaults to `"dice"`.
        use_softmax: boolean. Whether event weights are normalized by a
            softmax. Defaults to `False`.
        hidden_dims: sequence of integers. Widths of the MLP; `()` leaves it
            out. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Defaults to `()`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or no behavior shares a table with a field.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = DIN(schema, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [DIN](https://arxiv.org/abs/1706.06978)
    """

    presets = {
        "small": {"attention_dims": (32,), "hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        attention_dims: Sequence[int] = (64,),
        attention_activation: Any = "dice",
        use_softmax: bool = False,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Applies an MLP to the fields and the pooled behaviors."""
        return hidden_layers(
            interest_vector(features, settings, cls.__name__),
            features,
            settings,
        )


def interest_vector(features: Features, settings: Settings, model: str) -> Any:
    """Concatenates all fields with behaviors pooled by target attention."""

    def pool(view: TargetView) -> Any:
        attend = TargetAttention(
            settings["attention_dims"],
            activation=settings["attention_activation"],
            use_softmax=settings["use_softmax"],
            dtype=features.dtype,
            name=f"{view.name}_attention",
        )
        return flatten(attend(view.query, view.events, view.mask))

    return join_behaviors(features, features.targets(model), pool)
