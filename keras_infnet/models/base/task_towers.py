"""Towers that map the vector of a task to its prediction."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.layers import TaskTower
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.schema import Schema, Task

__all__ = ["predict_tasks"]


def predict_tasks(
    schema: Schema,
    vectors: Any,
    settings: Settings,
    dtype: Any,
    offsets: Any = None,
) -> dict[str, Any]:
    """Applies a tower per task, to a list of vectors or to a shared one.

    `offsets` of shape `(batch, tasks)` are added to the logits.
    """
    if not isinstance(vectors, Sequence):
        vectors = [vectors] * len(schema.tasks)
    outputs = {}
    for i, (task, x) in enumerate(zip(schema.tasks, vectors, strict=True)):
        offset = None if offsets is None else offsets[:, i : i + 1]
        if settings.get("tower") is not None:
            outputs[task.name] = _own_tower(settings["tower"], task, x, offset)
            continue
        tower = TaskTower(
            settings["tower_dims"],
            kind=task.kind,
            activation=settings["activation"],
            dropout=settings["dropout"],
            dtype=dtype,
            name=task.name,
        )
        outputs[task.name] = tower(x, offset)
    return outputs


def _own_tower(make_tower: Any, task: Task, x: Any, offset: Any) -> Any:
    """Applies the layer that `tower=` makes for a task."""
    if isinstance(make_tower, keras.layers.Layer) or not callable(make_tower):
        raise ValueError(
            "`tower` must be a function of a task that returns a layer, such "
            "as `lambda task: MyTower(name=task.name)`. Received: "
            f"tower={make_tower!r}."
        )
    layer = make_tower(task)
    if not isinstance(layer, keras.layers.Layer):
        raise ValueError(
            "`tower` must be a function of a task that returns a layer. "
            f"Received for task {task.name!r}: {layer!r}."
        )
    inputs = (x,) if offset is None else (x, offset)
    try:
        bound = inspect.signature(layer.call).bind(*inputs).arguments
        if {"training", "mask"} & bound.keys():
            raise TypeError("it takes fewer")
    except TypeError as error:
        raise ValueError(
            f"the layer that `tower` returns for task {task.name!r} must "
            f"take {len(inputs)} tensors: the vector of the task"
            f"{', and an offset to add to its logit' * (len(inputs) - 1)}. "
            f"Received: {layer!r}, because {error}."
        ) from None
    output = layer(*inputs)
    if tuple(getattr(output, "shape", ())) != (None, 1):
        raise ValueError(
            f"the layer that `tower` returns for task {task.name!r} must "
            "return a tensor of shape (batch, 1). Received: "
            f"{getattr(output, 'shape', output)}."
        )
    same = keras.backend.standardize_dtype(output.dtype) == "float32"
    return output if same else ops.cast(output, "float32")
