"""Progressive layered extraction (PLE)."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.models.mmoe import (
    check_several_tasks,
    level_experts,
    make_gate,
    mix_all_experts,
)
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["PLE"]


@export("keras_infnet.models.PLE")
class PLE(FeatureRanker):
    """Predicts every task from task-specific and shared experts.

    Every task has a vector, and there is one shared vector; all start as the
    embeddings or the output of `trunk`. In every level, the gate of a task
    reads its vector and mixes the experts of this task and the shared experts
    into its next vector. Another gate reads the shared vector and mixes all
    experts into the next shared vector, except in the last level. The towers
    read the vectors of the tasks.

    Args:
        num_levels: integer. Defaults to `1`.
        num_shared_experts: integer. Shared experts per level. Defaults to `8`.
        num_task_experts: integer. Experts per task and level. Defaults to `1`.
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
    >>> model = PLE(schema, num_shared_experts=2, expert_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [PLE](https://doi.org/10.1145/3383313.3412236)
    """

    presets = {
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
        trunk: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings before the graph is built."""
        check_several_tasks(schema, "PLE")
        check_trunk(settings["trunk"])
        return super().complete(schema, settings)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the levels, and a tower per task."""
        check_positive(num_levels=settings["num_levels"])
        names = features.schema.task_names
        start = trunk_vector(settings, features)
        vectors, shared = [start] * len(names), start
        for level in range(settings["num_levels"]):
            last = level == settings["num_levels"] - 1
            of_tasks, of_all = level_experts(
                vectors, shared, features, settings, level
            )
            vectors = [
                make_gate(settings, features, f"{name}_gate_{level}")(
                    vector, ops.concatenate([own, of_all], axis=1)
                )
                for name, vector, own in zip(
                    names, vectors, of_tasks, strict=True
                )
            ]
            if not last:
                shared = mix_all_experts(
                    shared, [*of_tasks, of_all], features, settings, level
                )
        return features.towers(vectors, settings)
