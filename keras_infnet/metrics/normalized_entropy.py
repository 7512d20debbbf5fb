"""Streaming normalized entropy."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.masked_binary_crossentropy import cross_entropy
from keras_infnet.metrics.running_sums import RowSums

__all__ = ["NormalizedEntropy"]


@export("keras_infnet.metrics.NormalizedEntropy")
class NormalizedEntropy(RowSums):
    """Log loss relative to the log loss of the base rate.

    `ne = log_loss / (-r * log(r) - (1 - r) * log(1 - r))` with the observed
    rate `r = sum(w * y) / sum(w)`. Below 1 the model beats the best
    constant prediction. Unlike the log loss, the metric can be compared across
    tasks and days with different rates.

    Rows with a NaN label or weight 0 are left out. The result is NaN
    ("undefined") without positives or without negatives.

    Args:
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        name: string. Defaults to `"normalized_entropy"`.
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

    >>> metric = NormalizedEntropy()
    >>> metric.update_state([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25])
    >>> round(float(metric.result()), 4)
    1.0

    Reference:
    - [He et al., 2014](https://doi.org/10.1145/2648584.2648589), section 2
    """

    def __init__(
        self,
        from_logits: bool = False,
        name: str = "normalized_entropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            ("losses", "positives", "negatives"), name, dtype, from_logits
        )

    def _terms(self, labels: Any, predictions: Any) -> tuple[Any, ...]:
        losses = cross_entropy(labels, predictions, self.from_logits)
        return losses, labels, 1 - labels

    def _combine(self, losses: Any, positives: Any, negatives: Any) -> Any:
        total = positives + negatives
        # 0 * log(0) = NaN if a class is absent, as documented.
        entropy = -positives * ops.log(positives / total)
        entropy = entropy - negatives * ops.log(negatives / total)
        return losses / entropy
