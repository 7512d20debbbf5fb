"""Binary cross-entropy over the observed labels."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.missing_labels import aligned, observed_labels

__all__ = ["MaskedBinaryCrossentropy", "cross_entropy"]


@export("keras_infnet.losses.MaskedBinaryCrossentropy")
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """Binary cross-entropy, averaged over the observed rows.

    `loss = sum(w * l) / sum(w)` with
    `l = -y * log(p) - (1 - y) * log(1 - p)`.

    A row with a NaN label counts as weight 0, and a batch in which every
    weight is 0 has loss 0. So a missing label equals dropping the row, and
    the loss of a rarely observed task is as large as that of any other.

    Probabilities are clipped to `[1e-7, 1 - 1e-7]`
    (`keras.backend.epsilon()`). The computation is in float32 whatever the
    dtype of the predictions.

    Args:
        from_logits: boolean. Whether predictions are logits instead of
            probabilities. Defaults to `False`.
        label_smoothing: float in `[0, 1)`. Labels are moved this part of the
            way towards one half. Predictions are then no longer calibrated.
            Defaults to `0.0`.
        reduction: string or `None`. As for `keras.losses.Loss`. Defaults to
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
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(
                "`label_smoothing` must be at least 0 and below 1. "
                f"Received: label_smoothing={label_smoothing!r}."
            )
        self.from_logits = from_logits
        self.label_smoothing = float(label_smoothing)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        labels, weights = observed_labels(y_true, sample_weight, self.dtype)
        return super().__call__(labels, ops.convert_to_tensor(y_pred), weights)

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

    `keras.ops.binary_crossentropy` raises on PyTorch where a prediction is
    NaN; here the result is NaN on every backend.
    """
    if from_logits:
        return ops.softplus(predictions) - labels * predictions
    epsilon = keras.config.epsilon()
    predictions = ops.clip(predictions, epsilon, 1 - epsilon)
    return -(
        labels * ops.log(predictions) + (1 - labels) * ops.log(1 - predictions)
    )
