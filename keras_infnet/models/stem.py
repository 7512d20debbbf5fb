"""Shared and task-specific embeddings."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.mmoe import (
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

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or there are fewer than two tasks.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = STEM(schema, num_shared_experts=2, expert_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [STEM](https://arxiv.org/abs/2308.13537)
    """

    presets = {
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
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks what no layer would, or too late to be understood."""
        check_several_tasks(schema, "STEM")
        return super().complete(schema, settings)

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Makes room for one embedding a task and a shared one."""
        check_positive(embedding_dim=settings["embedding_dim"])
        return int(settings["embedding_dim"]) * (len(schema.tasks) + 1)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
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
        return features.towers(vectors, settings)
