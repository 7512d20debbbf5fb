"""One-gate mixture of experts."""

from collections.abc import Mapping
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.models.base.features import Features
from keras_infnet.models.graph_parts.expert_settings import make_gate
from keras_infnet.models.mmoe import MMoE
from keras_infnet.schema import Schema

__all__ = ["OMoE"]


@export("keras_infnet.models.OMoE")
class OMoE(MMoE):
    """Predicts all tasks from one mixture of experts.

    `h = sum_e softmax(G x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h))`: what
    `MMoE` is without a gate for every task.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_experts: integer. Defaults to `8`.
        expert_dims: sequence of integers. Widths of an expert. Defaults to
            `(512, 256, 128)`.
        gate_dims: sequence of integers. Hidden widths of a gate; without any it
            is linear. Defaults to `()`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `(128, 64)`.
        trunk: what the shared part reads in place of the embeddings side by
            side: the name of a model with a trunk, such as `"DCNv2"`, or a
            dict with this `"name"` and its settings. Without a `dropout` of
            its own it has that of this model. Defaults to `None`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer. Defaults to
            `0.0`.
        embeddings_initializer: initializer of the embedding tables, or
            `None` for a normal distribution of standard deviation 0.0001.
            Defaults to `None`.
        loss_weighting: `"fixed"` (weights of `compile`) or `"uncertainty"`
            (learned). Defaults to `"fixed"`.
        **kwargs: Arguments of the base class: `name`, `dtype`.

    Call arguments:
        inputs: dict of encoded inputs, as `schema.inputs` describes.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of float32 tensors of shape `(batch, 1)`, one a task.

    Raises:
        ValueError: If an argument is not known or out of range, or the schema
            is not fitted.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = OMoE(schema, embedding_dim=4, num_experts=2, expert_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007), section 4.2
    """

    @classmethod
    def check_schema(cls, schema: Schema) -> None:
        """One gate is of use for one task, too."""

    @classmethod
    def mix(
        cls,
        vector: Any,
        experts: Any,
        features: Features,
        settings: Mapping[str, Any],
    ) -> list[Any]:
        """Mixes experts once for all tasks."""
        mixed = make_gate(settings, features, "gate")(vector, experts)
        return [mixed] * len(features.schema.tasks)
