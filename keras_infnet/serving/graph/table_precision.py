"""Embedding tables of an exported model in fewer bits."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_infnet.layers import StackedEmbedding

__all__ = ["reading_rounded", "round_rows"]

# Rows rounded at once, which bounds the temporary memory.
_PIECE = 65_536
_LARGEST = 127


def round_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds a table to 8 bits, with one scale per row.

    ```
    scale = max |row| / 127
    row   ~ scale * round(row / scale)
    ```

    The largest error is half a scale.

    >>> import numpy as np
    >>> values, scales = round_rows(np.array([[1.27, -0.64], [0.0, 0.0]]))
    >>> values.tolist()
    [[127, -64], [0, 0]]
    """
    largest = np.abs(table).max(axis=1, keepdims=True, initial=0.0)
    if not np.isfinite(largest).all():
        raise ValueError(
            "tables with NaN or infinite values cannot be rounded to 8 bits. "
            f"Received: {int((~np.isfinite(largest)).sum())} such rows."
        )
    scales = np.where(largest > 0, largest / _LARGEST, 1.0).astype(np.float32)
    # A scale that underflows would divide by zero.
    scales = np.maximum(scales, np.finfo(np.float32).tiny)
    values = np.clip(np.rint(table / scales), -_LARGEST, _LARGEST)
    return values.astype(np.int8), scales


@contextlib.contextmanager
def reading_rounded(model: Any, dtype: str) -> Iterator[None]:
    """Makes the embeddings of a model read tables in fewer bits.

    Graphs traced in this context contain rounded copies of the tables; the
    model is not changed. Raises if a value is too large for float16.
    """
    with contextlib.ExitStack() as stack:
        for layer in model._flatten_layers():
            if isinstance(layer, StackedEmbedding) and dtype != "float32":
                read = _int8(layer) if dtype == "int8" else _float16(layer)
                stack.enter_context(layer.reading_by(read))
        yield


Reader = Callable[[list[Any]], list[Any]]


def _float16(layer: StackedEmbedding) -> Reader:
    import tensorflow as tf

    (table,) = _rounded(layer, lambda rows: (rows.astype(np.float16),))
    if not np.isfinite(table).all():
        raise ValueError(
            "values beyond 65,504 do not fit into float16. Received: a table "
            f"of layer {layer.name!r} with such values. Use "
            "table_dtype='int8' or 'float32'."
        )
    stored = tf.Variable(table, trainable=False, name="embeddings_float16")
    return lambda numbers: [
        tf.cast(stored.sparse_read(n), tf.float32) for n in numbers
    ]


def _int8(layer: StackedEmbedding) -> Reader:
    import tensorflow as tf

    table, scales = _rounded(layer, round_rows)
    stored = tf.Variable(table, trainable=False, name="embeddings_int8")
    factors = tf.Variable(scales, trainable=False, name="embeddings_scales")
    return lambda numbers: [
        tf.cast(stored.sparse_read(n), tf.float32) * factors.sparse_read(n)
        for n in numbers
    ]


def _rounded(
    layer: StackedEmbedding,
    rounding: Callable[[np.ndarray], tuple[np.ndarray, ...]],
) -> tuple[np.ndarray, ...]:
    value = layer.embeddings.value
    pieces = [
        rounding(np.asarray(value[start : start + _PIECE]))
        for start in range(0, layer.num_rows, _PIECE)
    ]
    return tuple(map(np.concatenate, zip(*pieces, strict=True)))
