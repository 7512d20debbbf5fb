"""Binary cross-entropy over the rows with a label."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.missing_labels import MaskedLoss, aligned
from keras_infnet.utils.argument_checks import check_rate

__all__ = ["MaskedBinaryCrossentropy", "cross_entropy"]


@export("keras_infnet.losses.MaskedBinaryCrossentropy")
class MaskedBinaryCrossentropy(MaskedLoss):
    """Binary cross-entropy, averaged over the rows with a label.

    `loss = sum(w * l) / sum(w)` with
    `l = -y * log(p) - (1 - y) * log(1 - p)`.

    A row with a NaN label has weight 0, as if the row were dropped, and the
    loss of a batch without any weight is 0. Since the sum is divided by the
    total weight, missing labels do not make the loss of a task smaller.

    Probabilities are clipped to `[1e-7, 1 - 1e-7]` (`keras.config.epsilon()`).
    Half-precision predictions are cast to `dtype` first.

    Args:
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        label_smoothing: float in `[0, 1)`. Moves labels by this fraction
            toward 0.5, after which predictions are no longer calibrated.
            Defaults to `0.0`.
        reduction: string or `None`. See `keras.losses.Loss`. Defaults to
            `"mean_with_sample_weight"`.
        name: string. Defaults to `"masked_binary_crossentropy"`.
        dtype: dtype of the computation; `None` means `keras.config.floatx()`.
            Defaults to `None`.

    Call arguments:
        y_true: tensor of shape `(batch,)` or `(batch, 1)`: 0, 1 or NaN.
        y_pred: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor of shape `(batch,)` or `(batch, 1)`, a scalar
            or `None`. Defaults to `None`.

    Returns:
        A scalar; without reduction, a tensor of shape `(batch,)`.

    Raises:
        ValueError: If `label_smoothing` is not in `[0, 1)`, or labels,
            predictions and weights differ in their number of rows.

    Example:

    >>> loss = MaskedBinaryCrossentropy()
    >>> round(float(loss([1.0, 0.0], [[0.5], [0.5]])), 4)
    0.6931
    >>> round(float(loss([1.0, float("nan")], [[0.5], [0.9]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "mean_with_sample_weight",
        name: str = "masked_binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_rate(label_smoothing=label_smoothing)
        self.from_logits = from_logits
        self.label_smoothing = float(label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = aligned(y_true, y_pred)  # (batch,)
        y_true = y_true + self.label_smoothing * (0.5 - y_true)
        return cross_entropy(y_true, y_pred, self.from_logits)

    def get_config(self) -> dict[str, Any]:
        return {
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            **super().get_config(),
        }


def cross_entropy(labels: Any, predictions: Any, from_logits: bool) -> Any:
    """Computes the binary cross-entropy of every row, of shape `(batch,)`.

    NaN predictions give NaN on every backend, while
    `keras.ops.binary_crossentropy` raises on PyTorch.
    """
    if from_logits:
        return ops.softplus(predictions) - labels * predictions
    epsilon = keras.config.epsilon()
    predictions = ops.clip(predictions, epsilon, 1 - epsilon)
    return -(
        labels * ops.log(predictions) + (1 - labels) * ops.log(1 - predictions)
    )
