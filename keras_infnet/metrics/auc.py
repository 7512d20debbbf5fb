"""Streaming area under the ROC curve."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.missing_labels import observed_rows
from keras_infnet.metrics.running_sums import RunningSum

__all__ = ["AUC"]

#: A float32 probability cannot tell larger logits apart.
_RANGE = 16.0


@export("keras_infnet.metrics.AUC")
class AUC(keras.metrics.Metric):
    """Area under the ROC curve over all batches, with weights.

    `auc = sum_i(p_i * (N_i + n_i / 2))`, where `p_i` and `n_i` are the
    fractions of all positives and negatives in bin `i`, and `N_i` is the
    fraction of the negatives in lower bins.

    The bins are of equal width in the *logit*, over `[-16, 16]`, so that
    predictions of a rare event, all of them close to 0, are distinguished as
    well as those around 0.5. Pairs within a bin count one half; apart from
    them the result is exact. On ten thousand rows the error is below 1e-4
    unless nearly all predictions lie within a few hundredths of a logit. The
    cost of an update does not grow with the number of batches.

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") without positives or without negatives, and if a prediction
    is NaN or outside `[0, 1]`.

    Args:
        num_bins: integer, at least 2. Defaults to `16384`.
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        name: string. Defaults to `"auc"`.
        dtype: dtype of the result; `None` means `keras.config.floatx()`.
            Defaults to `None`.

    Call arguments:
        y_true: tensor of shape `(batch,)` or `(batch, 1)`: 0, 1 or NaN.
        y_pred: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor of shape `(batch,)` or `(batch, 1)`, a scalar
            or `None`. Defaults to `None`.

    Returns:
        A scalar in `[0, 1]`, or NaN.

    Raises:
        ValueError: If `num_bins` is below 2.

    Example:

    >>> metric = AUC()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> float(metric.result())
    0.75
    """

    def __init__(
        self,
        num_bins: int = 16384,
        from_logits: bool = False,
        name: str = "auc",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if num_bins < 2:
            raise ValueError(
                "`num_bins` must be at least 2. "
                f"Received: num_bins={num_bins!r}."
            )
        self.num_bins = num_bins
        self.from_logits = from_logits
        # Row 0 counts negatives, row 1 positives.
        self._histogram = RunningSum(self, "histogram", (2, num_bins))

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        labels, predictions, weights = observed_rows(
            y_true, y_pred, sample_weight
        )
        if not self.from_logits:
            predictions = ops.log(predictions) - ops.log1p(-predictions)
        broken = ops.isnan(predictions)
        # A NaN weight makes the result NaN.
        weights = ops.where(broken, float("nan"), weights)
        logits = ops.where(broken, 0.0, predictions)
        logits = ops.clip(logits, -_RANGE, _RANGE)
        bins = ops.cast(
            (logits + _RANGE) * (self.num_bins / (2 * _RANGE)), "int32"
        )
        bins = ops.minimum(bins, self.num_bins - 1)
        counts = ops.segment_sum(
            ops.concatenate([weights * (1 - labels), weights * labels]),
            ops.concatenate([bins, bins + self.num_bins]),
            num_segments=2 * self.num_bins,
        )
        self._histogram.add(ops.reshape(counts, (2, self.num_bins)))

    def result(self) -> Any:
        histogram = self._histogram.value()
        totals = ops.sum(histogram, axis=1, keepdims=True)
        # 0 / 0 = NaN if a class is absent, as documented.
        negatives, positives = ops.unstack(histogram / totals, 2, axis=0)
        below = ops.cumsum(negatives) - negatives / 2
        return ops.cast(ops.sum(positives * below), self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "num_bins": self.num_bins,
            "from_logits": self.from_logits,
            **super().get_config(),
        }
