"""In-place reading and writing of table rows, and sums of their gradients.

`keras.ops` can only scatter into tensors, which copies the table on
TensorFlow and PyTorch.
"""

import functools
from typing import Any

import keras
from keras import ops

from keras_infnet.optimizers.row_gradients import DistinctRows

__all__ = ["add_up", "read_rows", "write_rows"]


def add_up(marks: Any, gradients: Any, table: Any) -> DistinctRows:
    """Sums the gradients of every distinct row.

    Every lookup writes its index to its row of `marks`, a variable of one
    integer per row, and reads it back: all lookups of a row then see the same
    index, that of the last write. This needs no sorting and no hashing.
    `marks` need not be cleared between calls.
    """
    match keras.backend.backend():
        case "tensorflow":
            return _add_up_on_tensorflow(marks, gradients, table)
        case "torch":
            return _add_up_on_torch(marks, gradients, table)
    rows = ops.concatenate(gradients.rows)
    chosen, first = _choose(marks, rows)
    sums = ops.segment_sum(
        ops.concatenate(gradients.values), chosen, num_segments=rows.shape[0]
    )
    distinct = ops.where(first, rows, table.shape[0])
    if gradients.gathered is None:
        return DistinctRows(distinct, sums, read_rows(table, distinct))
    return DistinctRows(distinct, sums, ops.concatenate(gradients.gathered))


def _choose(marks: Any, rows: Any) -> tuple[Any, Any]:
    """Chooses one lookup of each row, and marks the chosen lookups."""
    lookups = ops.arange(ops.shape(rows)[0], dtype="int32")
    if keras.backend.backend() == "torch":
        lookups = lookups.to(rows.device)
    write_rows(marks, rows, lookups)
    chosen = read_rows(marks, rows)
    return chosen, chosen == lookups


def _add_up_on_torch(marks: Any, gradients: Any, table: Any) -> DistinctRows:
    import torch

    rows = torch.cat(gradients.rows)
    _, first = _choose(marks, rows)
    distinct = rows[first]
    # Consecutive indices, for as many sums as there are rows.
    index = torch.arange(len(distinct), dtype=torch.int32, device=rows.device)
    write_rows(marks, distinct, index)
    values = gradients.values
    sums = values[0].new_zeros((len(distinct), values[0].shape[1]))
    for piece, part in zip(gradients.rows, values, strict=True):
        # In the order of lookups, so that a CPU always gives the same sum.
        # With 32-bit indices PyTorch is 2 to 4 times slower.
        sums.index_add_(0, read_rows(marks, piece).long(), part)
    return DistinctRows(distinct, sums, read_rows(table, distinct))


def _add_up_on_tensorflow(
    marks: Any, gradients: Any, table: Any
) -> DistinctRows:
    import tensorflow as tf

    rows = tf.concat(gradients.rows, axis=0)
    chosen, first = _choose(marks, rows)
    distinct = tf.boolean_mask(rows, first)
    lookups = rows.shape[0]
    if lookups is not None and table.shape[0] <= lookups:
        segments, count, wanted = gradients.rows, table.shape[0], distinct
    else:
        segments, count = [chosen], None
        wanted = tf.boolean_mask(chosen, first)
    sums = _segment_sums()(segments, gradients.values, count)
    return DistinctRows(
        distinct, tf.gather(sums, wanted), read_rows(table, distinct)
    )


@functools.cache
def _segment_sums() -> Any:
    """Returns a function of segments, values and a count: the segment sums.

    It is compiled by XLA, whose loop is 4 to 14 times as fast on two cores as
    TensorFlow's kernel.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)
    def add(segments: Any, values: Any, count: int | None) -> Any:
        if len(segments) == 1:
            values = [tf.concat(values, axis=0)]
        number = tf.shape(values[0])[0] if count is None else count
        parts = [
            tf.math.unsorted_segment_sum(part, segment, number)
            for segment, part in zip(segments, values, strict=True)
        ]
        return tf.add_n(parts)

    return add


def read_rows(variable: Any, rows: Any) -> Any:
    """Reads rows of a variable without reading the whole variable."""
    value = variable.value
    match keras.backend.backend():
        case "tensorflow":
            # Reading the whole variable copies it after a scatter.
            return value.sparse_read(rows)
        case "torch":
            return value.detach().index_select(0, rows)
        case _:
            return value.at[rows].get(mode="clip")


def write_rows(variable: Any, rows: Any, values: Any) -> None:
    """Replaces rows of a variable in place.

    One of several entries with the same index is written. On JAX, an index out
    of range writes nothing.
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
