"""Reading, adding up and writing rows of variables, in place.

`keras.ops` can scatter into tensors only, which copies the table on
TensorFlow and PyTorch. Here each backend does it its own way.
"""

import dataclasses
from typing import Any

import keras
from keras import ops

__all__ = ["DistinctRows", "add_up", "read_rows", "write_rows"]


@dataclasses.dataclass(frozen=True)
class DistinctRows:
    """Every row read in a batch, once.

    On JAX, whose shapes are static, there are as many entries as places:
    those of repeated places hold the number of rows of the table, which
    reads anything and writes nothing, and zero sums.

    Args:
        rows: integer tensor of shape `(entries,)`.
        sums: float tensor of shape `(entries, dim)`, the gradients added up.
        gathered: float tensor of shape `(entries, dim)`, the rows themselves.
    """

    rows: Any
    sums: Any
    gathered: Any


def add_up(marks: Any, gradients: Any) -> DistinctRows:
    """Adds up the gradients of every distinct row.

    Every place writes its number to its row of `marks` and reads it back:
    the places of one row all see the same number, whoever wrote last. This
    takes no sorting and no hashing, and `marks` needs no cleaning up.

    Args:
        marks: `keras.Variable` of integers, shape `(rows,)`. Its values mean
            nothing between calls.
        gradients: `RowGradients`.

    Returns:
        `DistinctRows`, in the order of places on JAX, in any order elsewhere.
    """
    rows, values = gradients.rows, gradients.values
    gathered = gradients.gathered
    backend = keras.backend.backend()
    if backend == "jax":
        places = ops.arange(rows.shape[0], dtype="int32")
        write_rows(marks, rows, places)
        chosen = read_rows(marks, rows)
        sums = ops.segment_sum(values, chosen, num_segments=rows.shape[0])
        rows = ops.where(chosen == places, rows, marks.shape[0])
        return DistinctRows(rows, sums, gathered)
    places = ops.arange(ops.shape(rows)[0], dtype="int32")
    if backend == "torch":
        places = places.to(rows.device)
    write_rows(marks, rows, places)
    first = read_rows(marks, rows) == places
    if backend == "torch":
        first = first.nonzero()[:, 0]
        distinct = rows[first]
        write_rows(marks, distinct, places[: len(first)])
        # `index_add_` adds in the order of places: the same sum every time.
        sums = values.new_zeros((len(first), values.shape[1]))
        sums.index_add_(0, read_rows(marks, rows).long(), values)
        return DistinctRows(distinct, sums, gathered.index_select(0, first))
    import tensorflow as tf

    first = tf.where(first)[:, 0]
    distinct = tf.gather(rows, first)
    count = tf.shape(first)[0]
    write_rows(marks, distinct, places[:count])
    sums = tf.math.unsorted_segment_sum(values, read_rows(marks, rows), count)
    return DistinctRows(distinct, sums, tf.gather(gathered, first))


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
