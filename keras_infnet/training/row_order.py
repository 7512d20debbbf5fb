"""Rows in the order of their epoch."""

from typing import Any

import keras

__all__ = ["RowOrder"]


class RowOrder(keras.callbacks.Callback):
    """Makes every epoch of `fit` read the rows in an order of its own.

    The order is that of the epoch's number, so that every call of `fit` sees
    the same. Left alone, Keras counts one epoch more where it builds a model
    by its first batch.

    Args:
        batches: object with an `epoch` attribute that chooses the order of
            rows, such as `keras_infnet.data.Batches`.

    Example:

    >>> import types
    >>> batches = types.SimpleNamespace(epoch=7)
    >>> RowOrder(batches).on_epoch_begin(0)
    >>> batches.epoch
    0
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.batches.epoch = epoch
