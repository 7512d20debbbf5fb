"""The gradient of a table, as the gradients of the rows that were read."""

import dataclasses
from typing import Any

__all__ = ["RowGradients", "to_row_gradients"]


@dataclasses.dataclass(frozen=True)
class RowGradients:
    """Gradients of a loss with respect to rows gathered from a table.

    A row may occur any number of times; its gradient is the sum.

    Args:
        rows: integer tensor of shape `(places,)`, the row read at each place.
        values: float tensor of shape `(places, dim)`, the gradient there.
        gathered: float tensor of shape `(places, dim)`, what was read.
    """

    rows: Any
    values: Any
    gathered: Any


def to_row_gradients(gradient: Any, table: Any) -> RowGradients:
    """Makes row gradients of what differentiating by a table gives.

    Args:
        gradient: `RowGradients`, TensorFlow's slices, or a tensor of the
            shape of the table.
        table: `keras.Variable`.

    Returns:
        `RowGradients`.
    """
    from keras import ops

    if isinstance(gradient, RowGradients):
        return gradient
    if hasattr(gradient, "indices") and hasattr(gradient, "dense_shape"):
        rows, values = gradient.indices, gradient.values
    else:
        rows, values = ops.arange(table.shape[0], dtype="int32"), gradient
    return RowGradients(rows, values, ops.take(table.value, rows, axis=0))
