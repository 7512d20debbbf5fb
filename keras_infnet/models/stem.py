"""Shared and task-specific embeddings (STEM)."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.mmoe import (
    check_several_tasks,
    level_experts,
    make_gate,
    mix_all_experts,
)
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["STEM"]


@export("keras_infnet.models.STEM")
class STEM(FeatureRanker):
    """Predicts every task from task-specific and shared embeddings.

    Every id has one embedding per task and a shared one: `x_1, ..., x_M` and
    `x_s`. Experts of task `m` read `x_m`, shared experts read `x_s`. A gate on
    `x_m + x_s` mixes *all* experts for task `m`, but no gradient of its loss
    reaches the experts and embeddings of other tasks: a task uses what others
    learned without changing it. Between layers, a gate on the shared vector
    mixes all experts into the next shared vector.

    Embedding tables are `M + 1` times as wide as `embedding_dim`.

    Args:
        embedding_dim: integer. Width of each of the `M + 1` embeddings of an
            id. Defaults to `16`.
        num_layers: integer. Layers of experts. Defaults to `1`.
        num_shared_experts: integer. Shared experts per layer. Defaults to `8`.
        num_task_experts: integer. Experts per task and layer. Defaults to `1`.
        expert_dims: sequence of integers. Layer widths of an expert. Defaults
            to `(512, 256, 128)`.
        gate_dims: sequence of integers. Hidden widths of a gate; `()` makes
            it linear. Defaults to `(128, 64)`.

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
        """Checks settings before the graph is built."""
        check_several_tasks(schema, "STEM")
        return super().complete(schema, settings)

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Returns the width of all embeddings of an id together."""
        check_positive(embedding_dim=settings["embedding_dim"])
        return int(settings["embedding_dim"]) * (len(schema.tasks) + 1)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the layers of experts, and a tower per task."""
        check_positive(num_layers=settings["num_layers"])
        names = features.schema.task_names
        parts = ops.split(features.tokens(), len(names) + 1, axis=-1)
        *vectors, shared = [flatten(part) for part in parts]
        for layer in range(settings["num_layers"]):
            last = layer == settings["num_layers"] - 1
            of_tasks, of_all = level_experts(
                vectors, shared, features, settings, layer
            )
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
                shared = mix_all_experts(
                    shared, [*of_tasks, of_all], features, settings, layer
                )
            vectors = mixed
        return features.towers(vectors, settings)
