"""Squared error over the observed labels."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.missing_labels import aligned, observed_labels

__all__ = ["MaskedMeanSquaredError"]


@export("keras_infnet.losses.MaskedMeanSquaredError")
class MaskedMeanSquaredError(keras.losses.Loss):
    """Squared error, averaged over the observed rows.

    `loss = sum(w * (p - y)**2) / sum(w)`.

    A row with a NaN label counts as weight 0, and a batch in which every
    weight is 0 has loss 0: a missing label equals dropping the row.

    Args:
        reduction: string or `None`. As for `keras.losses.Loss`. Defaults to
            `"mean_with_sample_weight"`.
        name: string. Defaults to `"masked_mean_squared_error"`.
        dtype: dtype of the computation; `None` means `keras.config.floatx()`.
            Defaults to `None`.

    Call arguments:
        y_true: tensor of shape `(batch,)` or `(batch, 1)`, finite or NaN.
        y_pred: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor of shape `(batch,)` or `(batch, 1)`, a scalar
            or `None`. Defaults to `None`.

    Returns:
        A scalar; without reduction, a tensor of shape `(batch,)`.

    Raises:
        ValueError: If labels, predictions and weights differ in their number
            of rows.

    Example:

    >>> loss = MaskedMeanSquaredError()
    >>> float(loss([1.0, 2.0, float("nan")], [[3.0], [2.0], [7.0]]))
    2.0
    """

    def __init__(
        self,
        reduction: str | None = "mean_with_sample_weight",
        name: str = "masked_mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        labels, weights = observed_labels(y_true, sample_weight, self.dtype)
        return super().__call__(labels, ops.convert_to_tensor(y_pred), weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = aligned(y_true, y_pred)  # (batch,)
        return ops.square(y_pred - y_true)
