"""Progressive layered extraction."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

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
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["PLE"]


@export("keras_infnet.models.PLE")
class PLE(FeatureRanker):
    """Predicts every task from experts of its own and from shared ones.

    In every level a task mixes its own experts, on its own vector, and the
    shared experts, on the shared vector, by a gate on its own vector; the
    shared vector mixes all experts by a gate on itself. The first level
    starts with the embeddings (or what `trunk` makes of them) everywhere; the
    last one has no shared output. Towers read the vectors of the tasks.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_levels: integer. Defaults to `1`.
        num_shared_experts: integer. Shared experts of a level. Defaults to `8`.
        num_task_experts: integer. Experts of each task of a level. Defaults to
            `1`.
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
    >>> model = PLE(schema, num_shared_experts=2, expert_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [PLE](https://doi.org/10.1145/3383313.3412236)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {
            "num_shared_experts": 3,
            "expert_dims": (128, 64),
            "tower_dims": (64,),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_levels: int = 1,
        num_shared_experts: int = 8,
        num_task_experts: int = 1,
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
        check_several_tasks(schema, "PLE")
        check_trunk(trunk)
        settings = {
            "embedding_dim": embedding_dim,
            "num_levels": num_levels,
            "num_shared_experts": num_shared_experts,
            "num_task_experts": num_task_experts,
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
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Extracts level by level."""
        check_positive(num_levels=settings["num_levels"])
        names = features.schema.task_names
        start = trunk_vector(settings, features)
        vectors, shared = [start] * len(names), start
        for level in range(settings["num_levels"]):
            last = level == settings["num_levels"] - 1
            of_tasks = [
                make_experts(
                    settings["num_task_experts"],
                    settings,
                    features,
                    f"{name}_experts_{level}",
                )(vector)
                for name, vector in zip(names, vectors, strict=True)
            ]
            of_all = make_experts(
                settings["num_shared_experts"],
                settings,
                features,
                f"shared_experts_{level}",
            )(shared)
            vectors = [
                make_gate(settings, features, f"{name}_gate_{level}")(
                    vector, ops.concatenate([own, of_all], axis=1)
                )
                for name, vector, own in zip(
                    names, vectors, of_tasks, strict=True
                )
            ]
            if not last:
                everything = ops.concatenate([*of_tasks, of_all], axis=1)
                gate = make_gate(settings, features, f"shared_gate_{level}")
                shared = gate(shared, everything)
        return towers(vectors, features, settings)
