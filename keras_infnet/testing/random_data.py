"""Random batches, labels and weights for checks of models and layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.schema import GAP_BUCKETS, Schema

__all__ = ["random_batch", "random_labels", "randomize"]


def random_batch(
    schema: Schema,
    rows: int = 5,
    lengths: Mapping[str, int] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Draws inputs of a model, with padding between events.

    `lengths` maps behaviors to padded lengths, by default `max_length`. The
    last row has no events.
    """
    rng = np.random.default_rng(seed)
    specs, batch, lengths = schema.inputs, {}, lengths or {}
    for column in schema.columns():
        shape: Any = (rows,)
        axes: Any = specs[column.name].shape
        behavior = column.behavior
        if behavior is not None:
            length = lengths.get(behavior.name, behavior.max_length)
            shape, axes = (rows, length), axes[1:]
        size = schema.table_size(column.part.table_name)
        batch[column.name] = rng.integers(0, size, (*shape, *axes), "int32")
    for behavior in schema.behaviors:
        shape = batch[behavior.columns[0]].shape[:2]
        batch[behavior.mask_input] = rng.random(shape) < 0.7
        batch[behavior.mask_input][-1] = False
        if behavior.timed:
            gaps = rng.integers(0, GAP_BUCKETS + 1, shape, "int32")
            batch[behavior.gap_input] = gaps
    return batch


def random_labels(
    schema: Schema, rows: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Draws labels of every task: 0 or 1, or in [0, 1) for a regression."""
    rng = np.random.default_rng(seed)
    labels = {}
    for task in schema.tasks:
        label: Any = rng.random(rows)
        if task.kind == "binary":
            label = label < 0.5
        labels[task.name] = label.astype("float32")
    return labels


def randomize(layer: Any, seed: int = 0, scale: float = 0.4) -> Any:
    """Gives every weight of a layer or model random nonzero values."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        noise = scale * rng.standard_normal(weight.shape)
        if weight.path.endswith("gamma"):
            noise += 1.0
        if weight.path.endswith("moving_variance"):
            noise = 0.5 + np.abs(noise)
        weight.assign(noise.astype("float32"))
    return layer
