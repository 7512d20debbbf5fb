"""Exact metrics of predicted probabilities."""

from typing import Any, NamedTuple

import numpy as np

from keras_infnet.evaluation.observed_rows import select_observed
from keras_infnet.schema.value_checks import check_choice
from keras_infnet.utils.argument_checks import check_positive

__all__ = [
    "CalibrationCurve",
    "calibration",
    "calibration_curve",
    "expected_calibration_error",
    "log_loss",
    "normalized_entropy",
]

#: Distance of clipped probabilities from 0 and 1, as in training.
EPSILON = 1e-7


class CalibrationCurve(NamedTuple):
    """Mean prediction, observed rate and weight per bin."""

    predicted: np.ndarray
    observed: np.ndarray
    weight: np.ndarray


def log_loss(labels: Any, predictions: Any, weights: Any = None) -> float:
    """Mean binary cross-entropy.

    `log_loss = sum(w * l) / sum(w)` with
    `l = -y * log(p) - (1 - y) * log(1 - p)`; probabilities are clipped to
    `[1e-7, 1 - 1e-7]`.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN where not observed.
        predictions: array of shape `(rows,)`, probabilities.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.

    Returns:
        Float, or NaN ("undefined") where no row is observed.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> round(log_loss([1, 0, 1], [0.5, 0.5, 0.5]), 4)
    0.6931
    """
    rows = _probabilities(labels, predictions, weights)
    if not len(rows[0]):
        return float("nan")
    return _mean_log_loss(*rows)


def normalized_entropy(
    labels: Any, predictions: Any, weights: Any = None
) -> float:
    """Log loss over the log loss of the base rate.

    `ne = log_loss / (-r * log(r) - (1 - r) * log(1 - r))` with the observed
    rate `r = sum(w * y) / sum(w)`. Below 1 the model is better than the best
    constant prediction.

    The arguments and errors are those of `keras_infnet.evaluation.log_loss`.

    Returns:
        Float, or NaN ("undefined") where positives or negatives are absent.

    Example:

    >>> normalized_entropy([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25])
    1.0

    Reference:
    - [He et al., 2014](https://doi.org/10.1145/2648584.2648589), section 2
    """
    labels, predictions, weights = _probabilities(labels, predictions, weights)
    if not len(labels) or labels.min() == labels.max():
        return float("nan")
    rate = np.average(labels, weights=weights)
    entropy = -rate * np.log(rate) - (1 - rate) * np.log1p(-rate)
    return float(_mean_log_loss(labels, predictions, weights) / entropy)


def calibration(labels: Any, predictions: Any, weights: Any = None) -> float:
    """Sum of the predictions over the sum of the labels.

    `calibration = sum(w * p) / sum(w * y)`. Above 1 the model predicts more
    positives than there are.

    The arguments and errors are those of `keras_infnet.evaluation.log_loss`.

    Returns:
        Float, or NaN ("undefined") where there is no positive.

    Example:

    >>> calibration([1, 0, 0, 0], [0.5, 0.5, 0.25, 0.25])
    1.5
    """
    labels, predictions, weights = _probabilities(labels, predictions, weights)
    observed = np.dot(weights, labels)
    if observed == 0:
        return float("nan")
    return float(np.dot(weights, predictions) / observed)


def calibration_curve(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_bins: int = 10,
    binning: str = "quantile",
) -> CalibrationCurve:
    """Compares predictions with observed rates, bin by bin.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN where not observed.
        predictions: array of shape `(rows,)`, probabilities.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.
        num_bins: integer. Number of bins; empty ones are dropped. Defaults
            to `10`.
        binning: `"quantile"` (bins of about equal size; equal predictions
            share a bin) or `"uniform"` (bins of equal width). Defaults to
            `"quantile"`.

    Returns:
        `CalibrationCurve(predicted, observed, weight)`: weighted mean
        prediction, weighted mean label and total weight per bin, in ascending
        order of predictions.

    Raises:
        ValueError: If lengths differ, values are out of range or the binning
            is unknown.

    Example:

    >>> curve = calibration_curve([0, 0, 1, 1], [0.1, 0.1, 0.6, 0.8],
    ...     num_bins=2)
    >>> curve.predicted.round(4), curve.observed, curve.weight
    (array([0.1, 0.7]), array([0., 1.]), array([2., 2.]))
    """
    check_choice(binning, ("quantile", "uniform"), "binning")
    check_positive(num_bins=num_bins)
    labels, predictions, weights = _probabilities(labels, predictions, weights)
    if not len(labels):
        return CalibrationCurve(*(np.zeros(0) for _ in range(3)))
    edges = np.linspace(0, 1, num_bins + 1)[1:-1]
    if binning == "quantile":
        edges = np.unique(np.quantile(predictions, edges))
    bins = np.searchsorted(edges, predictions, side="right")
    sizes = np.bincount(bins, weights, num_bins)
    used = sizes > 0
    sums = (
        np.bincount(bins, weights * values, num_bins)[used]
        for values in (predictions, labels)
    )
    predicted, observed = (total / sizes[used] for total in sums)
    return CalibrationCurve(predicted, observed, sizes[used])


def expected_calibration_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_bins: int = 10,
    binning: str = "quantile",
) -> float:
    """Mean absolute difference between predictions and observed rates.

    `ece = sum_b(w_b * |predicted_b - observed_b|) / sum_b(w_b)` over the bins
    of `calibration_curve`. With few positives it is biased upwards: sampling
    noise of the bins counts as error, even for a perfect model.

    The arguments and errors are those of
    `keras_infnet.evaluation.calibration_curve`.

    Returns:
        Float, or NaN ("undefined") where no row is observed.

    Example:

    >>> round(expected_calibration_error([0, 1], [0.2, 0.7], num_bins=2), 4)
    0.25
    """
    curve = calibration_curve(labels, predictions, weights, num_bins, binning)
    if not len(curve.weight):
        return float("nan")
    distance = np.abs(curve.predicted - curve.observed)
    return float(np.average(distance, weights=curve.weight))


def _probabilities(
    labels: Any, predictions: Any, weights: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, predictions, weights, _ = select_observed(
        labels, predictions, weights
    )
    if len(labels) and not (0 <= predictions.min() and predictions.max() <= 1):
        raise ValueError(
            "predictions must be probabilities in [0, 1]. Received: values "
            f"from {predictions.min():.6g} to {predictions.max():.6g}. Apply "
            "the sigmoid to logits first."
        )
    return labels, predictions, weights


def _mean_log_loss(
    labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray
) -> float:
    # Labels are 0 or 1, so one logarithm per row suffices.
    right = np.where(labels == 1, predictions, 1 - predictions)
    losses = -np.log(np.clip(right, EPSILON, 1 - EPSILON))
    return float(np.average(losses, weights=weights))
