"""Streaming log loss."""

from typing import Any

from keras_infnet.api_export import export
from keras_infnet.losses.masked_binary_crossentropy import cross_entropy
from keras_infnet.metrics.running_sums import RowSums

__all__ = ["LogLoss"]


@export("keras_infnet.metrics.LogLoss")
class LogLoss(RowSums):
    """Mean binary cross-entropy over all batches, with weights.

    `log_loss = sum(w * l) / sum(w)` with
    `l = -y * log(p) - (1 - y) * log(1 - p)`, over *all* rows seen instead of
    the mean over batches. Probabilities are clipped to `[1e-7, 1 - 1e-7]`
    (`keras.config.epsilon()`).

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") without rows.

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
        super().__init__(("losses", "weights"), name, dtype, from_logits)

    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        return cross_entropy(labels, predictions, self.from_logits), 1.0

    def _combine(self, losses: Any, weights: Any) -> Any:
        return losses / weights
