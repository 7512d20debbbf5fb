"""Validation with averaged weights."""

from typing import Any

import keras

__all__ = ["AveragedWeights"]


class AveragedWeights(keras.callbacks.Callback):
    """Validates with the averages of the weights, then goes on with these.

    For models trained with `keras_infnet.optimizers.RowSparseOptimizer` whose
    parts have `use_ema=True`. The averages of rows that were not read lately
    are brought up to date first, which takes as long as the table is large,
    once a validation. `keras.callbacks.SwapEMAWeights` does the same for the
    optimisers of Keras.

    Example:

    >>> callback = AveragedWeights()
    """

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.bring_averages_up_to_date()
        self.model.optimizer.swap_averages()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.swap_averages()
