"""One-gate mixture of experts."""

from typing import Any

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features
from keras_infnet.models.mmoe import MMoE, make_gate
from keras_infnet.schema import Schema

__all__ = ["OMoE"]


@export("keras_infnet.models.OMoE")
class OMoE(MMoE):
    """Predicts all tasks from one mixture of experts.

    `h = sum_e softmax(G x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h))`: what
    `MMoE` is without a gate for every task.

    Args:
        num_experts: integer. Defaults to `8`.
        expert_dims: sequence of integers. Widths of an expert. Defaults to
            `(512, 256, 128)`.
        gate_dims: sequence of integers. Hidden widths of a gate; without any it
            is linear. Defaults to `()`.
        trunk: what the shared part reads in place of the embeddings side by
            side: the name of a model with a trunk, such as `"DCNv2"`, or a
            dict with this `"name"` and its settings. Without a `dropout` of
            its own it has that of this model. Defaults to `None`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = OMoE(schema, embedding_dim=4, num_experts=2, expert_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007), section 4.2
    """

    @classmethod
    def check_schema(cls, schema: Schema) -> None:
        """One gate is of use for one task, too."""

    @classmethod
    def mix(
        cls, vector: Any, experts: Any, features: Features, settings: Settings
    ) -> Any:
        """Mixes experts once for all tasks."""
        return make_gate(settings, features, "gate")(vector, experts)
