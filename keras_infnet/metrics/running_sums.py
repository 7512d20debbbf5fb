"""Sums over many batches, and the base class of metrics made of them."""

import abc
from typing import Any

import keras
from keras import ops

from keras_infnet.losses.missing_labels import observed_rows

__all__ = ["RowSums", "RunningSum"]


class RunningSum:
    """Compensated float32 sum over many batches.

    A plain float32 count stops growing at 16,777,216 when ones are added,
    and a sum loses precision long before. Here the rounding error of every
    addition is computed exactly and added to a second variable.

    >>> metric = keras.metrics.Mean()
    >>> total = RunningSum(metric, "rows")
    >>> total.add(2.0**24)
    >>> total.add(1.0)
    >>> total.add(1.0)
    >>> int(total.value()) - 2**24
    2
    """

    def __init__(
        self,
        metric: keras.metrics.Metric,
        name: str,
        shape: tuple[int, ...] = (),
    ) -> None:
        self.total, self.rest = (
            metric.add_variable(
                shape=shape, initializer="zeros", dtype="float32", name=part
            )
            for part in (name, f"{name}_rest")
        )

    def add(self, value: Any) -> None:
        """Adds a tensor of the shape of the sum."""
        value = ops.cast(value, "float32")
        old = ops.convert_to_tensor(self.total)
        new = old + value
        # The exact rounding error, by Knuth's two-sum.
        rounded = new - old
        error = (old - (new - rounded)) + (value - rounded)
        self.total.assign(new)
        self.rest.assign_add(error)

    def value(self) -> Any:
        """Returns the sum."""
        return self.total + self.rest


class RowSums(keras.metrics.Metric, abc.ABC):
    """Base of metrics made of weighted sums over the rows with a label.

    A subclass names the sums, computes what is summed in `_terms`, in the same
    order, and the metric from the sums in `_combine`. Metrics of regression
    have no `from_logits`.
    """

    def __init__(
        self,
        sums: tuple[str, ...],
        name: str,
        dtype: Any,
        from_logits: bool | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._sums = tuple(RunningSum(self, part) for part in sums)
        self.from_logits: Any = from_logits

    @abc.abstractmethod
    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        """Returns what is summed, one tensor of shape `(batch,)` per sum."""

    @abc.abstractmethod
    def _combine(self, *sums: Any) -> Any:
        """Returns the metric, computed from the sums."""

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

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.from_logits is None:
            return config
        return {"from_logits": self.from_logits, **config}
