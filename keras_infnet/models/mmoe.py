"""Multi-gate mixture of experts (MMoE)."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import ExpertGate, ExpertMLPs
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.schema import Schema

__all__ = [
    "MMoE",
    "check_several_tasks",
    "level_experts",
    "make_experts",
    "make_gate",
    "mix_all_experts",
]


@export("keras_infnet.models.MMoE")
class MMoE(FeatureRanker):
    """Predicts every task from its own mixture of shared experts.

    `h_m = sum_e softmax(G_m x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h_m))`,
    where `x` concatenates the embeddings of all fields and the means of the
    behaviors, or is the output of `trunk`.

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
    >>> model = MMoE(schema, embedding_dim=4, num_experts=2, expert_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007)
    """

    presets = {
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
        trunk: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings before the graph is built."""
        cls.check_schema(schema)
        check_trunk(settings["trunk"])
        return super().complete(schema, settings)

    @classmethod
    def check_schema(cls, schema: Schema) -> None:
        """Raises unless the schema has several tasks."""
        check_several_tasks(schema, cls.__name__)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the towers to mixtures of experts."""
        vector = trunk_vector(settings, features)
        experts = make_experts(
            settings["num_experts"], settings, features, "experts"
        )(vector)
        mixed = cls.mix(vector, experts, features, settings)
        return features.towers(mixed, settings)

    @classmethod
    def mix(
        cls, vector: Any, experts: Any, features: Features, settings: Settings
    ) -> Any:
        """Returns a mixture `(batch, dim)` per task, or one for all tasks."""
        return [
            make_gate(settings, features, f"{name}_gate")(vector, experts)
            for name in features.schema.task_names
        ]


def check_several_tasks(schema: Schema, model: str) -> None:
    """Raises unless a schema has several tasks."""
    if len(schema.tasks) < 2:
        raise ValueError(
            f"{model} shares experts between tasks and needs at least two. "
            f"Received one: {schema.task_names[0]!r}. For one task use "
            "SharedBottom, OMoE, DCNv2 or INFNet, or add a task to the "
            "schema."
        )


def make_experts(
    count: int, settings: Settings, features: Features, name: str
) -> ExpertMLPs:
    """Returns a layer of `count` experts that read the same vector."""
    return ExpertMLPs(
        count,
        hidden_dims=settings["expert_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )


def make_gate(settings: Settings, features: Features, name: str) -> ExpertGate:
    """Returns a gate that reads a vector and mixes experts."""
    return ExpertGate(
        hidden_dims=settings["gate_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )


def level_experts(
    vectors: list[Any],
    shared: Any,
    features: Features,
    settings: Settings,
    level: int,
) -> tuple[list[Any], Any]:
    """Returns the experts of every task on its vector, and shared experts."""
    of_tasks = [
        make_experts(
            settings["num_task_experts"],
            settings,
            features,
            f"{name}_experts_{level}",
        )(vector)
        for name, vector in zip(
            features.schema.task_names, vectors, strict=True
        )
    ]
    make_shared = make_experts(
        settings["num_shared_experts"],
        settings,
        features,
        f"shared_experts_{level}",
    )
    return of_tasks, make_shared(shared)


def mix_all_experts(
    shared: Any,
    experts: list[Any],
    features: Features,
    settings: Settings,
    level: int,
) -> Any:
    """Returns the shared vector of the next level, mixed by its own gate."""
    gate = make_gate(settings, features, f"shared_gate_{level}")
    return gate(shared, ops.concatenate(experts, axis=1))
