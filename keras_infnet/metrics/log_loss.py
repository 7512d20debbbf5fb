"""Streaming log loss."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.label_rows import cross_entropy
from keras_infnet.metrics.rows import RunningSum, observed_rows

__all__ = ["LogLoss"]


@export("keras_infnet.metrics.LogLoss")
class LogLoss(keras.metrics.Metric):
    """Mean binary cross-entropy over all batches, weights honoured.

    `log_loss = sum(w * l) / sum(w)` with
    `l = -y * log(p) - (1 - y) * log(1 - p)`, over *all* rows seen, not the
    mean of the means of the batches. Probabilities are clipped to
    `[1e-7, 1 - 1e-7]` (`keras.backend.epsilon()`).

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") before the first row.

    Args:
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        name: string. Defaults to `"log_loss"`.
        dtype: dtype of the result; `None` means `keras.config.floatx()`.
            Defaults to `None`.

    Call arguments:
        y_true: tensor of shape `(batch,)` or `(batch, 1)`: 0, 1 or NaN.
        y_pred: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor of shape `(batch,)` or `(batch, 1)`, a scalar
            or `None`. Defaults to `None`.

    Returns:
        A scalar, or NaN.

    Example:

    >>> metric = LogLoss()
    >>> metric.update_state([1, 0], [0.5, 0.5])
    >>> round(float(metric.result()), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        name: str = "log_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self._losses = RunningSum(self, "losses")
        self._weights = RunningSum(self, "weights")

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        labels, predictions, weights = observed_rows(
            y_true, y_pred, sample_weight
        )
        losses = cross_entropy(labels, predictions, self.from_logits)
        self._losses.add(ops.sum(weights * losses))
        self._weights.add(ops.sum(weights))

    def result(self) -> Any:
        mean = self._losses.value() / self._weights.value()
        return ops.cast(mean, self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits, **super().get_config()}
