"""Labels row by row: missing ones left out, the cross-entropy of the others."""

from typing import Any

import keras
from keras import ops

__all__ = ["aligned", "cross_entropy", "observed_labels"]


def aligned(
    labels: Any, values: Any, name: str = "predictions"
) -> tuple[Any, Any]:
    """Flattens labels and what belongs to them to one value a row.

    Args:
        labels: tensor of shape `(batch,)` or `(batch, 1)`.
        values: tensor of shape `(batch, 1)` or `(batch,)`.
        name: string. What the values are, for the message. Defaults to
            `"predictions"`.

    Returns:
        Two tensors of shape `(batch,)`.

    Raises:
        ValueError: If the two hold different numbers of values, which would
            broadcast silently.

    Example:

    >>> labels, predictions = aligned(ops.ones((3,)), ops.ones((3, 1)))
    >>> tuple(labels.shape), tuple(predictions.shape)
    ((3,), (3,))
    """
    shapes = tuple(labels.shape), tuple(values.shape)
    flat = ops.reshape(labels, (-1,)), ops.reshape(values, (-1,))
    rows, others = flat[0].shape[0], flat[1].shape[0]
    if rows is not None and others is not None and rows != others:
        raise ValueError(
            f"labels and {name} must have one value a row. Received: "
            f"labels of shape {shapes[0]}, {name} of shape {shapes[1]}. "
            "Give every task one label, one output and one weight a row."
        )
    return flat


def observed_labels(
    labels: Any, sample_weight: Any, dtype: str
) -> tuple[Any, Any]:
    """Takes the rows with a NaN label out of a weighted mean.

    The label is replaced before anything is computed from it: a weight of 0
    alone would leave `0 * NaN = NaN` in the value and in the gradient.

    Args:
        labels: tensor of any shape; NaN means "not observed".
        sample_weight: tensor with one weight a label, a scalar, or `None`.
        dtype: string. Dtype of what is returned.

    Returns:
        Labels with 0 in place of NaN, in their shape, and weights of shape
        `(batch,)` that are 0 there.

    Raises:
        ValueError: If labels and weights differ in their number.

    Example:

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


def cross_entropy(labels: Any, predictions: Any, from_logits: bool) -> Any:
    """Computes the binary cross-entropy of every row.

    `keras.ops.binary_crossentropy` raises on PyTorch where a prediction is
    NaN; here the result is NaN on every backend.

    Args:
        labels: tensor of shape `(batch,)`.
        predictions: tensor of shape `(batch,)`.
        from_logits: boolean. Whether predictions are logits.

    Returns:
        Tensor of shape `(batch,)`.

    Example:

    >>> zero = ops.convert_to_tensor([0.0])
    >>> round(float(cross_entropy(1.0, zero, from_logits=True)[0]), 4)
    0.6931
    """
    if from_logits:
        return ops.softplus(predictions) - labels * predictions
    epsilon = keras.config.epsilon()
    predictions = ops.clip(predictions, epsilon, 1 - epsilon)
    return -(
        labels * ops.log(predictions) + (1 - labels) * ops.log(1 - predictions)
    )
