"""Gradients of embedding tables, given as gradients of the rows read."""

import dataclasses
from typing import Any

from keras import ops

__all__ = ["DistinctRows", "RowGradients", "to_rows"]


@dataclasses.dataclass(frozen=True)
class RowGradients:
    """Gradients of a loss with respect to rows gathered from a table.

    They come in any number of pieces, and a row may occur any number of
    times; its gradient is the sum over its lookups.

    Args:
        rows: list of integer tensors of shape `(lookups,)`, the index of the
            row of each lookup.
        values: list of float tensors of shape `(lookups, dim)`, the gradient
            of each lookup.
        gathered: list of float tensors of shape `(lookups, dim)`, the rows
            that were read, or `None` to read them again. Defaults to `None`.
    """

    rows: list[Any]
    values: list[Any]
    gathered: list[Any] | None = None


@dataclasses.dataclass(frozen=True)
class DistinctRows:
    """Indices of the rows that were read, each once, and their gradients.

    `sums` holds the summed gradients and `gathered` the rows, both of shape
    `(entries, dim)`. On JAX, whose shapes are static, there are more entries
    than rows; the others have zero gradients and an index out of range, which
    writes nothing.
    """

    rows: Any
    sums: Any
    gathered: Any


def to_rows(gradient: Any, table: Any) -> RowGradients | DistinctRows:
    """Converts TensorFlow's `IndexedSlices` or a dense gradient.

    A dense gradient is treated as if the batch read all rows.
    """
    if isinstance(gradient, RowGradients | DistinctRows):
        return gradient
    if hasattr(gradient, "indices") and hasattr(gradient, "dense_shape"):
        return RowGradients([gradient.indices], [gradient.values])
    rows = ops.arange(table.shape[0], dtype="int32")
    return DistinctRows(rows, gradient, ops.convert_to_tensor(table.value))
