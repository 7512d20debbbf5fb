"""Operations on rows and lists in a TensorFlow graph."""

from typing import Any

__all__ = ["broadcast_rows", "compact", "num_rows"]


def num_rows(tensors: list[Any]) -> Any:
    """Returns the number of rows to which tensors of one row broadcast."""
    import tensorflow as tf

    sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors])
    longest = tf.reduce_max(sizes)
    return tf.where(tf.reduce_min(sizes) == 0, 0, longest)


def broadcast_rows(tensor: Any, rows: Any) -> Any:
    """Broadcasts a tensor of shape `(1 or rows, ...)` to `(rows, ...)`."""
    import tensorflow as tf

    shape = tf.reshape(rows, [1])
    # Vectors all share this one shape.
    if tensor.shape.rank != 1:
        shape = tf.concat([shape, tf.shape(tensor)[1:]], axis=0)
    out = tf.broadcast_to(tensor, shape)
    out.set_shape([None, *tensor.shape[1:]])
    return out


def compact(
    columns: list[Any], fills: list[Any], known: list[Any], limit: int
) -> tuple[list[Any], Any]:
    """Keeps the last `limit` elements of each row, in every column.

    Columns are tensors of shape `(rows, length, ...)` of any length, whose
    rows are broadcast; their elements are those where one of `known`, masks
    of shape `(rows, length)`, is true. Returns the columns, of the length of
    the longest row but at least 1, and the mask of valid cells. The others
    hold the fill value of the column.
    """
    import tensorflow as tf

    tensors = _pad_to_longest(
        [*known, *columns], [*[False] * len(known), *fills]
    )
    rows = num_rows(tensors)
    tensors = [broadcast_rows(tensor, rows) for tensor in tensors]
    masks, columns = tensors[: len(known)], tensors[len(known) :]
    mask = masks[0]
    if len(masks) > 1:
        mask = tf.reduce_any(tf.stack(masks), axis=0)
    positions, valid = _kept_positions(mask, limit)
    kept = []
    for column, fill in zip(columns, fills, strict=True):
        picked = tf.gather(column, positions, axis=1, batch_dims=1)
        cells = valid[(..., *[tf.newaxis] * (picked.shape.rank - 2))]
        kept.append(tf.where(cells, picked, tf.constant(fill, picked.dtype)))
    return kept, valid


def _pad_to_longest(tensors: list[Any], fills: list[Any]) -> list[Any]:
    """Pads tensors of shape `(rows, length, ...)` to the longest length."""
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


def _kept_positions(mask: Any, limit: int) -> tuple[Any, Any]:
    """Returns ascending positions of the last `limit` elements, and a mask."""
    import tensorflow as tf

    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
    totals = counts[:, -1]
    kept = tf.minimum(totals, limit)
    # Not `limit`, so that short histories are cheap.
    cells = tf.range(tf.maximum(tf.reduce_max(kept), 1))
    valid = cells < kept[:, None]
    # The k-th element is where the running count first reaches k.
    wanted = (totals - kept)[:, None] + cells + 1
    positions = tf.searchsorted(counts, wanted, side="left")
    return tf.where(valid, positions, 0), valid
