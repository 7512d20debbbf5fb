"""What models with experts have in common."""

from collections.abc import Mapping
from typing import Any

from keras_infnet.layers import ExpertGate, ExpertMLPs
from keras_infnet.models.base.features import Features
from keras_infnet.schema import Schema

__all__ = ["check_several_tasks", "make_experts", "make_gate"]


def check_several_tasks(schema: Schema, model: str) -> None:
    """Raises unless a schema has tasks to share something between.

    Args:
        schema: `Schema`.
        model: string. Name of the model.

    Raises:
        ValueError: If there is one task only.
    """
    if len(schema.tasks) < 2:
        raise ValueError(
            f"{model} shares experts between tasks and needs two at least. "
            f"Received one: {schema.task_names[0]!r}. For one task use "
            "SharedBottom, OMoE, DCNv2 or INFNet, or add a task to the "
            "schema."
        )


def make_experts(
    count: int, settings: Mapping[str, Any], features: Features, name: str
) -> ExpertMLPs:
    """Makes experts.

    Args:
        count: integer.
        settings: with `expert_dims`, `activation` and `dropout`.
        features: `Features`.
        name: string. Name of the layer.

    Returns:
        Layer of a vector.
    """
    return ExpertMLPs(
        count,
        hidden_dims=settings["expert_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )


def make_gate(
    settings: Mapping[str, Any], features: Features, name: str
) -> ExpertGate:
    """Makes a gate.

    Args:
        settings: with `gate_dims`, `activation` and `dropout`.
        features: `Features`.
        name: string. Name of the layer.

    Returns:
        Layer of a vector and experts.
    """
    return ExpertGate(
        hidden_dims=settings["gate_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )
