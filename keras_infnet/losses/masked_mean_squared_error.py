"""Squared error over the rows with a label."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.losses.missing_labels import MaskedLoss, aligned

__all__ = ["MaskedMeanSquaredError"]


@export("keras_infnet.losses.MaskedMeanSquaredError")
class MaskedMeanSquaredError(MaskedLoss):
    """Squared error, averaged over the rows with a label.

    `loss = sum(w * (p - y)**2) / sum(w)`.

    A row with a NaN label has weight 0, as if the row were dropped, and the
    loss of a batch without any weight is 0.

    Args:
        reduction: string or `None`. See `keras.losses.Loss`. Defaults to
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

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = aligned(y_true, y_pred)  # (batch,)
        return ops.square(y_pred - y_true)
