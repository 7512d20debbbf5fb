"""Streaming root mean squared error."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.metrics.running_sums import RowSums

__all__ = ["RootMeanSquaredError"]


@export("keras_infnet.metrics.RootMeanSquaredError")
class RootMeanSquaredError(RowSums):
    """Root of the mean squared error over all batches, with weights.

    `rmse = sqrt(sum(w * (p - y)**2) / sum(w))`.

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") without rows.

    Args:
        name: string. Defaults to `"rmse"`.
        dtype: dtype of the result; `None` means `keras.config.floatx()`.
            Defaults to `None`.

    Call arguments:
        y_true: tensor of shape `(batch,)` or `(batch, 1)`, finite or NaN.
        y_pred: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor of shape `(batch,)` or `(batch, 1)`, a scalar
            or `None`. Defaults to `None`.

    Returns:
        A scalar, or NaN.

    Example:

    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([1.0, 2.0], [4.0, 2.0], [1.0, 8.0])
    >>> float(metric.result())
    1.0
    """

    def __init__(self, name: str = "rmse", dtype: Any = None) -> None:
        super().__init__(("squares", "weights"), name, dtype)

    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        return ops.square(predictions - labels), 1.0

    def _combine(self, squares: Any, weights: Any) -> Any:
        return ops.sqrt(squares / weights)
