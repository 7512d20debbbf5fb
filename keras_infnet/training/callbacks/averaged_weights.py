"""Validation, and what follows it, with averaged weights."""

from typing import Any

import keras

from keras_infnet.optimizers import RowSparseOptimizer
from keras_infnet.training.callbacks import Logs

__all__ = ["AveragedWeights", "keeps_averages"]


class AveragedWeights(keras.callbacks.Callback):
    """Validates with the averages of the weights, then trains these on.

    For optimizers with `use_ema=True`, those of
    `keras_infnet.optimizers.RowSparseOptimizer` included. The averages of rows
    that were not read lately are brought up to date first, which takes as
    long as the table is large, once a validation.

    During `fit` the averages stay in place from the start of the validation
    to the `on_epoch_end` of this callback. So put it *behind* the callbacks
    that store what was scored, such as `keras.callbacks.ModelCheckpoint`, and
    *before* those that store the state of training, such as `Resume` and
    `keras.callbacks.BackupAndRestore`. `fit_ranker` does so by itself.

    Example:

    >>> callbacks = [
    ...     keras.callbacks.ModelCheckpoint("best.keras", "val_loss"),
    ...     AveragedWeights(),
    ... ]
    """

    def __init__(self) -> None:
        super().__init__()
        self._fits = False
        self._in_place = False

    def on_train_begin(self, logs: Logs = None) -> None:
        self._fits = True
        self.use_trained_weights()

    def on_test_begin(self, logs: Logs = None) -> None:
        if not self._in_place:
            self._swap()

    def on_test_end(self, logs: Logs = None) -> None:
        if not self._fits:
            self.use_trained_weights()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.use_trained_weights()

    def on_train_end(self, logs: Logs = None) -> None:
        self._fits = False

    def use_trained_weights(self) -> None:
        """Puts the trained weights back where averages are in their place."""
        if self._in_place:
            self._swap()

    def _swap(self) -> None:
        optimizer = self.model.optimizer
        if isinstance(optimizer, RowSparseOptimizer):
            if not self._in_place:
                optimizer.bring_averages_up_to_date()
            optimizer.swap_averages()
        else:
            swap = keras.callbacks.SwapEMAWeights()
            swap.set_model(self.model)
            swap.on_test_begin()
        self._in_place = not self._in_place


def keeps_averages(optimizer: Any) -> bool:
    """Whether an optimizer, or a part of it, has `use_ema=True`."""
    if isinstance(optimizer, RowSparseOptimizer):
        return optimizer.keeps_averages
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    parts = getattr(optimizer, "optimizers", [optimizer])
    return any(getattr(part, "use_ema", False) for part in parts)
