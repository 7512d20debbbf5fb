"""Rows of tables that are small and learned with the dense weights."""

from typing import Any

from keras import ops

__all__ = ["look_up"]


def look_up(table: Any, ids: Any) -> Any:
    """Reads rows of a small table; numbers beyond it read its last row.

    The gradient is as large as the table: optimisers on the TensorFlow
    backend square repeated sparse slices one by one.

    Args:
        table: variable of shape `(rows, ...)`.
        ids: integer tensor.

    Returns:
        Tensor of the shape of `ids` and of a row.
    """
    # Not `clip`: between 0 and 6 LiteRT takes it for an activation.
    ids = ops.minimum(ops.maximum(ids, 0), table.shape[0] - 1)
    # The product makes the gradient dense.
    return ops.take(table * 1.0, ids, axis=0)
