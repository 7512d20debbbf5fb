"""The gradient of a table, as the gradients of the rows that were read."""

import dataclasses
from typing import Any

from keras import ops

__all__ = ["DistinctRows", "RowGradients", "to_rows"]


@dataclasses.dataclass(frozen=True)
class RowGradients:
    """Gradients of a loss with respect to rows gathered from a table.

    They come in any number of pieces, and a row may occur any number of
    times: its gradient is the sum.

    Args:
        rows: list of integer tensors of shape `(places,)`, the row read at
            each place.
        values: list of float tensors of shape `(places, dim)`, the gradient
            there.
        gathered: list of float tensors of shape `(places, dim)`, what was
            read there, or `None` to read it again. Defaults to `None`.
    """

    rows: list[Any]
    values: list[Any]
    gathered: list[Any] | None = None


@dataclasses.dataclass(frozen=True)
class DistinctRows:
    """Rows that were read, each once, and their gradients.

    `sums` holds the gradients added up and `gathered` the rows themselves,
    both of shape `(entries, dim)`. On JAX, whose shapes are static, there are
    more entries than rows: the others hold the number of rows of the table,
    which writes nothing, and zero gradients.
    """

    rows: Any
    sums: Any
    gathered: Any


def to_rows(gradient: Any, table: Any) -> RowGradients | DistinctRows:
    """Makes gradients of rows from TensorFlow's slices or a dense gradient.

    A dense gradient, of the shape of the table, counts as reading all rows.
    """
    if isinstance(gradient, RowGradients | DistinctRows):
        return gradient
    if hasattr(gradient, "indices") and hasattr(gradient, "dense_shape"):
        return RowGradients([gradient.indices], [gradient.values])
    rows = ops.arange(table.shape[0], dtype="int32")
    return DistinctRows(rows, gradient, ops.convert_to_tensor(table.value))
