"""Shared and task-specific embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.feature_ranker import FeatureRanker, towers
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.graph_parts.expert_settings import (
    check_several_tasks,
    make_experts,
    make_gate,
)
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["STEM"]


@export("keras_infnet.models.STEM")
class STEM(FeatureRanker):
    """Predicts every task from embeddings of its own and from shared ones.

    Every id has one embedding a task and a shared one: `x_1, ..., x_M` and
    `x_s`. Experts of task `m` read `x_m`, shared experts `x_s`. A task mixes
    *all* experts by a gate on `x_m + x_s`, but the experts of other tasks are
    held fixed for it: its loss does not reach their weights and embeddings. So
    tasks learn from each other without moving each other's embeddings. Between
    layers, a gate on the shared vector mixes all experts for the next one.

    The tables are `M + 1` times as wide as `embedding_dim`.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of one embedding of an id, of which it has
            one a task and one more. Defaults to `16`.
        num_layers: integer. Layers of experts. Defaults to `1`.
        num_shared_experts: integer. Shared experts of a layer. Defaults to `8`.
        num_task_experts: integer. Experts of each task of a layer. Defaults to
            `1`.
        expert_dims: sequence of integers. Widths of an expert. Defaults to
            `(512, 256, 128)`.
        gate_dims: sequence of integers. Hidden widths of a gate; without any it
            is linear. Defaults to `(128, 64)`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `(128, 64)`.
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
    >>> model = STEM(schema, num_shared_experts=2, expert_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [STEM](https://arxiv.org/abs/2308.13537)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {
            "num_shared_experts": 3,
            "expert_dims": (128, 64),
            "gate_dims": (),
            "tower_dims": (64,),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_layers: int = 1,
        num_shared_experts: int = 8,
        num_task_experts: int = 1,
        expert_dims: Sequence[int] = (512, 256, 128),
        gate_dims: Sequence[int] = (128, 64),
        tower_dims: Sequence[int] = (128, 64),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        check_several_tasks(schema, "STEM")
        settings = {
            "embedding_dim": embedding_dim,
            "num_layers": num_layers,
            "num_shared_experts": num_shared_experts,
            "num_task_experts": num_task_experts,
            "expert_dims": expert_dims,
            "gate_dims": gate_dims,
            "tower_dims": tower_dims,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def embedding_width(
        cls, schema: Schema, settings: Mapping[str, Any]
    ) -> int:
        """Makes room for one embedding a task and a shared one."""
        check_positive(embedding_dim=settings["embedding_dim"])
        return int(settings["embedding_dim"]) * (len(schema.tasks) + 1)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Mixes experts on embeddings of every task's own."""
        check_positive(num_layers=settings["num_layers"])
        names = features.schema.task_names
        parts = ops.split(features.tokens(), len(names) + 1, axis=-1)
        *vectors, shared = [flatten(part) for part in parts]
        for layer in range(settings["num_layers"]):
            last = layer == settings["num_layers"] - 1
            of_tasks = [
                make_experts(
                    settings["num_task_experts"],
                    settings,
                    features,
                    f"{name}_experts_{layer}",
                )(vector)
                for name, vector in zip(names, vectors, strict=True)
            ]
            of_all = make_experts(
                settings["num_shared_experts"],
                settings,
                features,
                f"shared_experts_{layer}",
            )(shared)
            mixed = []
            for i, (name, vector) in enumerate(
                zip(names, vectors, strict=True)
            ):
                experts = [
                    own if j == i else ops.stop_gradient(own)
                    for j, own in enumerate(of_tasks)
                ]
                gate = make_gate(settings, features, f"{name}_gate_{layer}")
                mixed.append(
                    gate(
                        vector + shared,
                        ops.concatenate([*experts, of_all], axis=1),
                    )
                )
            if not last:
                everything = ops.concatenate([*of_tasks, of_all], axis=1)
                gate = make_gate(settings, features, f"shared_gate_{layer}")
                shared = gate(shared, everything)
            vectors = mixed
        return towers(vectors, features, settings)
