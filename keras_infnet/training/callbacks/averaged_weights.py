"""Validation with averaged weights."""

from typing import Any

import keras

from keras_infnet.optimizers import RowSparseOptimizer
from keras_infnet.training.callbacks import Logs

__all__ = ["AveragedWeights", "keeps_averages"]


class AveragedWeights(keras.callbacks.Callback):
    """Validates with averaged weights, then restores the trained ones.

    For optimizers with `use_ema=True`, including those of
    `keras_infnet.optimizers.RowSparseOptimizer`. Each validation first updates
    the averages of table rows that were not read recently, at a cost
    proportional to the size of the table.

    During `fit` the model has the averages from the start of a validation to
    the `on_epoch_end` of this callback. Put it *after* callbacks that store
    the validated weights, such as `keras.callbacks.ModelCheckpoint`, and
    *before* those that store the state of training, such as `Resume` and
    `keras.callbacks.BackupAndRestore`. `fit_ranker` does this.

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
        """Restores the trained weights if the model has averages."""
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
