"""Rows and lists inside a TensorFlow graph: broadcast, compact, cut."""

from typing import Any

__all__ = [
    "broadcast_rows",
    "gather_kept",
    "kept_positions",
    "num_rows",
    "pad_to_longest",
]


def num_rows(tensors: list[Any]) -> Any:
    """Returns the number of rows that tensors of one row broadcast to."""
    import tensorflow as tf

    sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors])
    longest = tf.reduce_max(sizes)
    return tf.where(tf.reduce_min(sizes) == 0, 0, longest)


def broadcast_rows(tensor: Any, rows: Any) -> Any:
    """Repeats a tensor of one row; checks the rows of any other.

    Shape `(1 or rows, ...)` becomes `(rows, ...)`.
    """
    import tensorflow as tf

    shape = tf.reshape(rows, [1])
    # Without more axes, all tensors share this one shape.
    if tensor.shape.rank != 1:
        shape = tf.concat([shape, tf.shape(tensor)[1:]], axis=0)
    out = tf.broadcast_to(tensor, shape)
    out.set_shape([None, *tensor.shape[1:]])
    return out


def pad_to_longest(tensors: list[Any], fills: list[Any]) -> list[Any]:
    """Pads lists at the end to the longest of them, at least one long.

    Tensors of shape `(rows, length, ...)` get the same length, each with its
    own fill value.
    """
    import tensorflow as tf

    lengths = [tf.shape(tensor)[1] for tensor in tensors]
    longest = tf.maximum(tf.reduce_max(tf.stack(lengths)), 1)
    out = []
    for tensor, length, fill in zip(tensors, lengths, fills, strict=True):
        shape = tf.shape(tensor)
        shape = tf.concat([shape[:1], [longest - length], shape[2:]], axis=0)
        # `tf.pad` cannot pad strings.
        padding = tf.fill(shape, tf.constant(fill, tensor.dtype))
        padded = tf.concat([tensor, padding], axis=1)
        padded.set_shape([tensor.shape[0], None, *tensor.shape[2:]])
        out.append(padded)
    return out


def kept_positions(mask: Any, limit: int) -> tuple[Any, Any]:
    """Finds where the last `limit` elements of each list stand, in their order.

    `mask` of shape `(rows, n)` is true for elements. Returns positions of
    shape `(rows, length)`, with the length of the longest row kept, at least
    one, and a mask of that shape, true at the cells that hold an element.
    """
    import tensorflow as tf

    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
    totals = counts[:, -1]
    kept = tf.minimum(totals, limit)
    # Short histories cost little: no row is padded to `limit`.
    cells = tf.range(tf.maximum(tf.reduce_max(kept), 1))
    valid = cells < kept[:, None]
    # The k-th element stands where the running count first reaches k.
    wanted = (totals - kept)[:, None] + cells + 1
    positions = tf.searchsorted(counts, wanted, side="left")
    return tf.where(valid, positions, 0), valid


def gather_kept(tensor: Any, positions: Any, valid: Any, fill: Any) -> Any:
    """Picks what `kept_positions` found of each row; fills other cells."""
    import tensorflow as tf

    picked = tf.gather(tensor, positions, axis=1, batch_dims=1)
    for _ in range(picked.shape.rank - 2):
        valid = valid[..., None]
    return tf.where(valid, picked, tf.constant(fill, picked.dtype))
