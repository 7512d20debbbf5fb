"""Streaming calibration: predicted over observed positives."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.metrics.running_sums import RowSums

__all__ = ["Calibration"]


@export("keras_infnet.metrics.Calibration")
class Calibration(RowSums):
    """Sum of the predictions over the sum of the labels.

    `calibration = sum(w * p) / sum(w * y)`. Above 1 the model predicts more
    positives than there are, below 1 fewer. It does not measure how well rows
    are told apart: a constant prediction of the base rate has calibration 1.

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") without positives.

    Args:
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        name: string. Defaults to `"calibration"`.
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

    >>> metric = Calibration()
    >>> metric.update_state([1, 0, 0, 0], [0.5, 0.5, 0.25, 0.25])
    >>> float(metric.result())
    1.5
    """

    def __init__(
        self,
        from_logits: bool = False,
        name: str = "calibration",
        dtype: Any = None,
    ) -> None:
        super().__init__(("predicted", "observed"), name, dtype, from_logits)

    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        if self.from_logits:
            predictions = ops.sigmoid(predictions)
        return predictions, labels

    def _combine(self, predicted: Any, observed: Any) -> Any:
        return ops.where(
            observed > 0,
            ops.divide_no_nan(predicted, observed),
            ops.full_like(observed, float("nan")),
        )
