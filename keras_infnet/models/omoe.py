"""One-gate mixture of experts (OMoE)."""

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

    `h = sum_e softmax(G x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h))`: an
    `MMoE` with one gate for all tasks.

    Args:
        num_experts: integer. Defaults to `8`.
        expert_dims: sequence of integers. Layer widths of an expert. Defaults
            to `(512, 256, 128)`.
        gate_dims: sequence of integers. Hidden widths of a gate; `()` makes
            it linear. Defaults to `()`.
        trunk: string or dict. The single-task model whose last hidden vector
            replaces the concatenated embeddings: its name, such as `"DCNv2"`,
            or a dict of its `"name"` and arguments. Its `dropout` defaults to
            that of this model. Defaults to `None`.

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
        """Accepts a single task, too."""

    @classmethod
    def mix(
        cls, vector: Any, experts: Any, features: Features, settings: Settings
    ) -> Any:
        """Returns one mixture for all tasks."""
        return make_gate(settings, features, "gate")(vector, experts)
