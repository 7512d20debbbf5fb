"""Multi-gate mixture of experts."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers import ExpertGate, ExpertMLPs
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.schema import Schema

__all__ = ["MMoE", "check_several_tasks", "make_experts", "make_gate"]


@export("keras_infnet.models.MMoE")
class MMoE(FeatureRanker):
    """Predicts every task from its own mixture of shared experts.

    `h_m = sum_e softmax(G_m x)_e f_e(x)` and `y_m = sigmoid(Tower_m(h_m))`,
    where `x` joins the embeddings of all fields and the means of the
    behaviors, or is what `trunk` makes of them.

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
        """Checks what no layer would, or too late to be understood."""
        cls.check_schema(schema)
        check_trunk(settings["trunk"])
        return super().complete(schema, settings)

    @classmethod
    def check_schema(cls, schema: Schema) -> None:
        """Raises unless there are tasks to share experts between."""
        check_several_tasks(schema, cls.__name__)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Puts a tower a task on a mixture of experts."""
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
        """Mixes experts for every task; tensors of shape `(batch, dim)`."""
        return [
            make_gate(settings, features, f"{name}_gate")(vector, experts)
            for name in features.schema.task_names
        ]


def check_several_tasks(schema: Schema, model: str) -> None:
    """Raises unless a schema has tasks to share something between."""
    if len(schema.tasks) < 2:
        raise ValueError(
            f"{model} shares experts between tasks and needs two at least. "
            f"Received one: {schema.task_names[0]!r}. For one task use "
            "SharedBottom, OMoE, DCNv2 or INFNet, or add a task to the "
            "schema."
        )


def make_experts(
    count: int, settings: Settings, features: Features, name: str
) -> ExpertMLPs:
    """Makes a layer of `count` experts that read one vector."""
    return ExpertMLPs(
        count,
        hidden_dims=settings["expert_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )


def make_gate(settings: Settings, features: Features, name: str) -> ExpertGate:
    """Makes a layer that reads a vector and mixes experts."""
    return ExpertGate(
        hidden_dims=settings["gate_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )
