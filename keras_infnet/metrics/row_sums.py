"""What the metrics share that are made of a few sums over all rows."""

import abc
from typing import Any

import keras
from keras import ops

from keras_infnet.metrics.running_sums import RunningSum, observed_rows

__all__ = ["RowSums"]


class RowSums(keras.metrics.Metric, abc.ABC):
    """Base of the metrics made of weighted sums over the observed rows.

    A subclass names the sums, says in `_terms` what is summed, in the same
    order, and in `_combine` what becomes of the sums.
    """

    def __init__(self, sums: tuple[str, ...], name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._sums = tuple(RunningSum(self, part) for part in sums)

    @abc.abstractmethod
    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        """Returns what is summed: one tensor of shape `(batch,)` a sum."""

    @abc.abstractmethod
    def _combine(self, *sums: Any) -> Any:
        """Returns the metric, made of the sums."""

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        labels, predictions, weights = observed_rows(
            y_true, y_pred, sample_weight
        )
        terms = self._terms(labels, predictions)
        for total, term in zip(self._sums, terms, strict=True):
            total.add(ops.sum(weights * term))

    def result(self) -> Any:
        result = self._combine(*(total.value() for total in self._sums))
        return ops.cast(result, self.dtype)
