"""Labels and weights of the rows that have a label, for losses and metrics."""

from typing import Any

import keras
from keras import ops

__all__ = ["MaskedLoss", "aligned", "observed_labels", "observed_rows"]


class MaskedLoss(keras.losses.Loss):
    """Base of the losses that give rows with a NaN label weight 0."""

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        labels, weights = observed_labels(y_true, sample_weight, self.dtype)
        return super().__call__(labels, ops.convert_to_tensor(y_pred), weights)


def aligned(
    labels: Any, values: Any, name: str = "predictions"
) -> tuple[Any, Any]:
    """Flattens labels and `values` (called `name` in errors) to `(batch,)`.

    Raises `ValueError` if their sizes differ, which would broadcast silently.

    >>> labels, predictions = aligned(ops.ones((3,)), ops.ones((3, 1)))
    >>> tuple(labels.shape), tuple(predictions.shape)
    ((3,), (3,))
    """
    shapes = tuple(labels.shape), tuple(values.shape)
    flat = ops.reshape(labels, (-1,)), ops.reshape(values, (-1,))
    rows, others = flat[0].shape[0], flat[1].shape[0]
    if rows is not None and others is not None and rows != others:
        raise ValueError(
            f"labels and {name} must have one value per row. Received: "
            f"labels of shape {shapes[0]}, {name} of shape {shapes[1]}. "
            "Give every task one label, one output and one weight per row."
        )
    return flat


def observed_labels(
    labels: Any, sample_weight: Any, dtype: str
) -> tuple[Any, Any]:
    """Replaces NaN labels by 0; returns labels, and weights `(batch,)`.

    Weight 0 alone would not do, since `0 * NaN = NaN` in the loss and in its
    gradient. Labels keep their shape; `sample_weight` may be a scalar or
    `None`.

    >>> labels, weights = observed_labels([1.0, float("nan")], 3, "float32")
    >>> [float(v) for v in labels], [float(v) for v in weights]
    ([1.0, 0.0], [3.0, 0.0])
    """
    labels = ops.convert_to_tensor(labels, dtype=dtype)
    missing = ops.isnan(labels)
    labels = ops.where(missing, ops.zeros_like(labels), labels)
    if sample_weight is None:
        sample_weight = 1.0
    weights = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if len(weights.shape) == 0:
        weights = weights * ops.ones_like(labels)
    missing, weights = aligned(missing, weights, "weights")
    return labels, ops.where(missing, ops.zeros_like(weights), weights)


def observed_rows(
    labels: Any, predictions: Any, sample_weight: Any = None
) -> tuple[Any, Any, Any]:
    """Returns labels, predictions and weights of shape `(batch,)`, float32.

    Rows with a NaN label or weight 0 become zeros. A NaN prediction of any
    other row stays NaN, so that a diverged model is noticed.

    >>> rows = observed_rows([1.0, float("nan")], [[0.5], [0.25]])
    >>> [[float(value) for value in column] for column in rows]
    [[1.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    """
    labels, weights = observed_labels(labels, sample_weight, "float32")
    labels, predictions = aligned(labels, ops.cast(predictions, "float32"))
    observed = ops.not_equal(weights, 0)
    zeros = ops.zeros_like(labels)
    return (
        ops.where(observed, labels, zeros),
        ops.where(observed, predictions, zeros),
        weights,
    )
