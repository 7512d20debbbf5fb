"""Exact metrics of regression tasks."""

from typing import Any

import numpy as np

from keras_infnet.evaluation.observed_rows import select_observed

__all__ = ["r2", "rmse"]


def rmse(labels: Any, predictions: Any, weights: Any = None) -> float:
    """Root of the mean squared error.

    `rmse = sqrt(sum(w * (p - y)**2) / sum(w))`.

    Args:
        labels: array of shape `(rows,)`, finite, or NaN where not observed.
        predictions: array of shape `(rows,)`.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.

    Returns:
        Float, or NaN ("undefined") where no row is observed.

    Raises:
        ValueError: If lengths differ or values are not finite.

    Example:

    >>> rmse([1.0, 2.0, np.nan], [4.0, 2.0, 9.0], [1.0, 8.0, 1.0])
    1.0
    """
    rows = select_observed(labels, predictions, weights, binary=False)
    if not len(rows.labels):
        return float("nan")
    errors = np.square(rows.predictions - rows.labels)
    return float(np.sqrt(np.average(errors, weights=rows.weights)))


def r2(labels: Any, predictions: Any, weights: Any = None) -> float:
    """Coefficient of determination.

    `r2 = 1 - sum(w * (y - p)**2) / sum(w * (y - mean)**2)`, where `mean` is
    the weighted mean of the labels: 1 is perfect, 0 is no better than the
    mean.

    The arguments and errors are those of `keras_infnet.evaluation.rmse`.

    Returns:
        Float of at most 1, or NaN ("undefined") where all labels are equal.

    Example:

    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
    0.5
    """
    rows = select_observed(labels, predictions, weights, binary=False)
    if not len(rows.labels) or np.ptp(rows.labels) == 0:
        return float("nan")
    mean = np.average(rows.labels, weights=rows.weights)
    errors = np.dot(rows.weights, np.square(rows.labels - rows.predictions))
    spread = np.dot(rows.weights, np.square(rows.labels - mean))
    return float(1 - errors / spread)
