"""Reading, adding up and writing rows of variables, in place.

`keras.ops` can scatter into tensors only, which copies the table on
TensorFlow and PyTorch. Here each backend does it its own way.
"""

from typing import Any

import keras
from keras import ops

from keras_infnet.optimizers.row_gradients import DistinctRows

__all__ = ["add_up", "all_rows", "read_rows", "write_rows"]


def add_up(marks: Any, gradients: Any, table: Any) -> DistinctRows:
    """Adds up the gradients of every distinct row.

    Every place writes its number to its row of `marks` and reads it back:
    the places of one row all see the same number, whoever wrote last. This
    takes no sorting and no hashing, and `marks` needs no cleaning up.

    Args:
        marks: `keras.Variable` of integers, shape `(rows,)`. Its values mean
            nothing between calls.
        gradients: `RowGradients`.
        table: `keras.Variable` of shape `(rows, dim)`.

    Returns:
        `DistinctRows`.
    """
    pieces = gradients.values
    rows = ops.concatenate(gradients.rows)
    places = _places(rows)
    write_rows(marks, rows, places)
    chosen = read_rows(marks, rows)
    first = chosen == places
    if keras.backend.backend() == "jax":
        count = rows.shape[0]
        distinct = ops.where(first, rows, marks.shape[0])
    else:
        distinct = rows[first]
        count = ops.shape(distinct)[0]
        # Numbers without gaps, and as many sums as there are rows.
        write_rows(marks, distinct, places[:count])
        chosen = read_rows(marks, rows)
    sums, start = None, 0
    for numbers, values in zip(gradients.rows, pieces, strict=True):
        stop = start + ops.shape(numbers)[0]
        # In the order of places: the same sum in every run.
        part = _segment_sum(values, chosen[start:stop], count)
        sums = part if sums is None else sums + part
        start = stop
    return DistinctRows(distinct, sums, read_rows(table, distinct))


def _places(rows: Any) -> Any:
    places = ops.arange(ops.shape(rows)[0], dtype="int32")
    if keras.backend.backend() == "torch":
        return places.to(rows.device)
    return places


def _segment_sum(values: Any, segments: Any, count: Any) -> Any:
    if keras.backend.backend() == "torch":
        sums = values.new_zeros((count, values.shape[1]))
        return sums.index_add_(0, segments, values)
    return ops.segment_sum(values, segments, num_segments=count)


def all_rows(table: Any, gradient: Any, rows: list[Any]) -> DistinctRows:
    """Makes distinct rows of a gradient by a whole table, on JAX.

    Args:
        table: tensor of shape `(rows, dim)`.
        gradient: tensor of the same shape.
        rows: list of integer tensors: the rows that were read.

    Returns:
        `DistinctRows`.
    """
    count = table.shape[0]
    read = ops.zeros((count,), "bool")
    for numbers in rows:
        read = read.at[numbers].set(True)
    numbers = ops.where(read, ops.arange(count, dtype="int32"), count)
    return DistinctRows(numbers, gradient, table)


def read_rows(variable: Any, rows: Any) -> Any:
    """Reads rows of a variable and nothing else of it.

    Args:
        variable: `keras.Variable` of shape `(rows, ...)`.
        rows: integer tensor of shape `(entries,)`.

    Returns:
        Tensor of shape `(entries, ...)`.
    """
    value = variable.value
    match keras.backend.backend():
        case "tensorflow":
            # Reading all of a variable that was scattered to copies it.
            return value.sparse_read(rows)
        case "torch":
            return value.detach().index_select(0, rows)
        case _:
            return value.at[rows].get(mode="clip")


def write_rows(variable: Any, rows: Any, values: Any) -> None:
    """Replaces rows of a variable where they are.

    Args:
        variable: `keras.Variable` of shape `(rows, ...)`.
        rows: integer tensor of shape `(entries,)`. On JAX, numbers beyond
            the last row write nothing. Of several entries with the same
            number, one is written.
        values: tensor of shape `(entries, ...)`.
    """
    value = variable.value
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            value.scatter_update(tf.IndexedSlices(values, rows))
        case "torch":
            import torch

            with torch.no_grad():
                value.index_copy_(0, rows.long(), values)
        case _:
            variable.assign(value.at[rows].set(values, mode="drop"))
