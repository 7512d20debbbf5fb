"""What the metrics share: observed rows and sums that do not saturate."""

from typing import Any

import keras
from keras import ops

from keras_infnet.losses.missing_labels import aligned, observed_labels

__all__ = ["RunningSum", "observed_rows"]


def observed_rows(
    labels: Any, predictions: Any, sample_weight: Any = None
) -> tuple[Any, Any, Any]:
    """Flattens a batch to one value a row, in float32.

    Args:
        labels: tensor of shape `(batch,)` or `(batch, 1)`; NaN means "not
            observed".
        predictions: tensor of shape `(batch, 1)` or `(batch,)`.
        sample_weight: tensor with one weight a row, a scalar, or `None`.
            Defaults to `None`.

    Returns:
        Labels, predictions and weights of shape `(batch,)`. Where the label
        is NaN or the weight is 0, all three are finite and the weight is 0.
        A NaN prediction of an observed row stays, so that a diverged model
        shows.

    Raises:
        ValueError: If the number of rows differs.

    Example:

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


class RunningSum:
    """A float32 sum over many batches that keeps what rounding drops.

    A plain float32 count stops growing at 16,777,216 when ones are added,
    and a sum loses digits long before. Here what every addition rounds off
    is computed exactly and kept in a second variable.

    Args:
        metric: `keras.metrics.Metric` that owns the two variables.
        name: string.
        shape: tuple of integers. Defaults to `()`.

    Example:

    >>> metric = keras.metrics.Mean()
    >>> total = RunningSum(metric, "rows")
    >>> total.add(2.0**24)
    >>> total.add(1.0)
    >>> total.add(1.0)
    >>> int(total.value()) - 2**24
    2
    """

    def __init__(
        self,
        metric: keras.metrics.Metric,
        name: str,
        shape: tuple[int, ...] = (),
    ) -> None:
        self.total, self.rest = (
            metric.add_variable(
                shape=shape, initializer="zeros", dtype="float32", name=part
            )
            for part in (name, f"{name}_rest")
        )

    def add(self, value: Any) -> None:
        """Adds a tensor of the shape of the sum."""
        value = ops.cast(value, "float32")
        old = ops.convert_to_tensor(self.total)
        new = old + value
        # What the addition lost, exactly, whichever of the two is larger
        # (Knuth's two-sum).
        back = new - old
        lost = (old - (new - back)) + (value - back)
        self.total.assign(new)
        self.rest.assign_add(lost)

    def value(self) -> Any:
        """Returns the sum."""
        return self.total + self.rest
