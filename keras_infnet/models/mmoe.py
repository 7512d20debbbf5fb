"""Multi-gate mixture of experts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.models.base.feature_ranker import FeatureRanker, towers
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.models.graph_parts.expert_settings import (
    check_several_tasks,
    make_experts,
    make_gate,
)
from keras_infnet.schema import Schema

__all__ = ["MMoE"]


@export("keras_infnet.models.MMoE")
class MMoE(FeatureRanker):
    """Predicts every task from its own mixture of shared experts.

    `h_m = sum_e softmax(G_m x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h_m))`,
    where `x` joins the embeddings of all fields and the means of the
    behaviours, or is what `trunk` makes of them.

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
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or there are fewer than two tasks.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = MMoE(schema, embedding_dim=4, num_experts=2, expert_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {
            "num_experts": 4,
            "expert_dims": (128, 64),
            "tower_dims": (64,),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_experts: int = 8,
        expert_dims: Sequence[int] = (512, 256, 128),
        gate_dims: Sequence[int] = (),
        tower_dims: Sequence[int] = (128, 64),
        trunk: str | Mapping[str, Any] | None = None,
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        self.check_schema(schema)
        check_trunk(trunk)
        settings = {
            "embedding_dim": embedding_dim,
            "num_experts": num_experts,
            "expert_dims": expert_dims,
            "gate_dims": gate_dims,
            "tower_dims": tower_dims,
            "trunk": trunk,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def check_schema(cls, schema: Schema) -> None:
        """Raises unless there are tasks to share experts between.

        Args:
            schema: `Schema`.

        Raises:
            ValueError: If there is one task only.
        """
        check_several_tasks(schema, cls.__name__)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Puts a tower a task on a mixture of experts."""
        vector = trunk_vector(settings, features)
        experts = make_experts(
            settings["num_experts"], settings, features, "experts"
        )(vector)
        mixed = cls.mix(vector, experts, features, settings)
        return towers(mixed, features, settings)

    @classmethod
    def mix(
        cls,
        vector: Any,
        experts: Any,
        features: Features,
        settings: Mapping[str, Any],
    ) -> list[Any]:
        """Mixes experts for every task.

        Args:
            vector: tensor of shape `(batch, features)`.
            experts: tensor of shape `(batch, experts, dim)`.
            features: `Features`.
            settings: the constructor arguments by name.

        Returns:
            List of tensors of shape `(batch, dim)`, one a task.
        """
        return [
            make_gate(settings, features, f"{name}_gate")(vector, experts)
            for name in features.schema.task_names
        ]
