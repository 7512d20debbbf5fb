"""Bootstrap confidence intervals over users."""

from typing import Any, NamedTuple

import numpy as np

from keras_infnet.evaluation.observed_rows import (
    ObservedRows,
    group_codes,
    select_observed,
)
from keras_infnet.evaluation.ranking_metrics import auc, gauc, group_aucs
from keras_infnet.utils.argument_checks import check_number, check_positive

__all__ = [
    "ConfidenceInterval",
    "DifferenceInterval",
    "auc_difference_interval",
    "auc_interval",
    "gauc_interval",
]


class ConfidenceInterval(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


class DifferenceInterval(NamedTuple):
    """A difference, the ends of its interval, and its p value."""

    value: float
    low: float
    high: float
    p_value: float


def auc_interval(
    labels: Any,
    predictions: Any,
    groups: Any = None,
    weights: Any = None,
    level: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
) -> ConfidenceInterval:
    """AUC with a bootstrap interval.

    Groups (users) are drawn with replacement, each with all its rows: rows of
    a user are correlated, and resampling single rows would make the interval
    too narrow. The ends are percentiles of the AUC over the resamples. Rows
    are sorted only once.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN where not observed.
        predictions: array of shape `(rows,)`.
        groups: array of shape `(rows,)` or `None` to resample single rows.
            Missing groups (NaN or `None`) count as one group. Defaults to
            `None`.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.
        level: float between 0 and 1. Confidence level. Defaults to `0.95`.
        num_resamples: integer. Defaults to `200`.
        seed: integer. The same seed gives the same interval. Defaults to
            `0`.

    Returns:
        `ConfidenceInterval(value, low, high)`; all NaN where the AUC is
        undefined.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> generator = np.random.default_rng(0)
    >>> scores = generator.random(2000)
    >>> labels = generator.random(2000) < scores
    >>> value, low, high = auc_interval(labels, scores)
    >>> 0.8 < low < value < high < 0.87
    True
    """
    _check(level, num_resamples)
    value, areas = _bootstrap(
        labels, predictions, groups, weights, num_resamples, seed
    )
    return _interval(value, areas, level)


def auc_difference_interval(
    labels: Any,
    predictions: Any,
    reference: Any,
    groups: Any = None,
    weights: Any = None,
    level: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
) -> DifferenceInterval:
    """Difference of two AUCs on the same rows, with a bootstrap interval.

    Both sides are evaluated on the same resamples of groups (users), so that
    the difficulty of a resample cancels. The AUCs of several runs are averaged.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN where not observed.
        predictions: array of shape `(rows,)`, or `(runs, rows)`.
        reference: array of shape `(rows,)`, or `(runs, rows)`.
        groups: array of shape `(rows,)` or `None`, as for `auc_interval`.
            Defaults to `None`.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.
        level: float between 0 and 1. Confidence level. Defaults to `0.95`.
        num_resamples: integer. Defaults to `200`.
        seed: integer. Defaults to `0`.

    Returns:
        `DifferenceInterval(value, low, high, p_value)`. The p value is twice
        the fraction of resamples, plus one, on the other side of 0. All NaN
        where an AUC is undefined.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> generator = np.random.default_rng(0)
    >>> scores = generator.random(2000)
    >>> labels = generator.random(2000) < scores
    >>> noisy = scores + generator.normal(0, 0.5, 2000)
    >>> found = auc_difference_interval(labels, scores, noisy)
    >>> found.low > 0, found.p_value < 0.02
    (True, True)
    """
    _check(level, num_resamples)
    values, resampled = [], []
    for side in (predictions, reference):
        aucs, areas = [], []
        for run in np.atleast_2d(np.asarray(side, dtype=float)):
            value, resamples = _bootstrap(
                labels, run, groups, weights, num_resamples, seed
            )
            if np.isnan(value):
                return DifferenceInterval(*[float("nan")] * 4)
            aucs.append(value)
            areas.append(resamples)
        values.append(np.mean(aucs))
        resampled.append(np.mean(areas, axis=0))
    differences = resampled[0] - resampled[1]
    value = float(values[0] - values[1])
    low, high = _interval(value, differences, level)[1:]
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return DifferenceInterval(value, low, high, float("nan"))
    below = (1 + np.sum(defined <= 0)) / (1 + len(defined))
    above = (1 + np.sum(defined >= 0)) / (1 + len(defined))
    return DifferenceInterval(
        value, low, high, float(min(1.0, 2 * min(below, above)))
    )


def gauc_interval(
    labels: Any,
    predictions: Any,
    groups: Any,
    weighting: str = "impressions",
    weights: Any = None,
    level: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
) -> ConfidenceInterval:
    """GAUC with a bootstrap interval.

    Groups are drawn with replacement, as by `auc_interval`; groups with a
    single class are ignored.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN where not observed.
        predictions: array of shape `(rows,)`.
        groups: array of shape `(rows,)`.
        weighting: `"impressions"` or `"uniform"`, as for `gauc`. Defaults to
            `"impressions"`.
        weights: array of shape `(rows,)` or `None`. Rows with weight 0 are
            ignored. Defaults to `None`.
        level: float between 0 and 1. Confidence level. Defaults to `0.95`.
        num_resamples: integer. Defaults to `200`.
        seed: integer. Defaults to `0`.

    Returns:
        `ConfidenceInterval(value, low, high)`; all NaN where the GAUC is
        undefined.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> labels, scores = [0, 1, 1, 0], [0.1, 0.2, 0.9, 0.95]
    >>> gauc_interval(labels, scores, [7, 7, 8, 8])
    ConfidenceInterval(value=0.5, low=0.0, high=1.0)
    """
    _check(level, num_resamples)
    value, _ = gauc(labels, predictions, groups, weighting, weights)
    if np.isnan(value):
        return ConfidenceInterval(value, value, value)
    areas, sizes = group_aucs(labels, predictions, groups, weights)
    used = ~np.isnan(areas)
    shares = np.where(used, sizes if weighting == "impressions" else 1.0, 0.0)
    # One product sums both columns over the drawn groups.
    terms = np.stack([shares * np.where(used, areas, 0.0), shares], axis=1)
    generator = np.random.default_rng(seed)
    sums = np.stack(
        [_draw(generator, len(areas)) @ terms for _ in range(num_resamples)]
    )
    with np.errstate(invalid="ignore"):
        means = sums[:, 0] / sums[:, 1]
    return _interval(value, means, level)


def _codes(rows: ObservedRows, groups: Any) -> tuple[np.ndarray, int]:
    """Returns the group code of each row and the number of groups."""
    if groups is None:
        return np.arange(len(rows.labels)), len(rows.labels)
    codes, num_groups = group_codes(groups, rows.mask)
    codes = np.where(codes < 0, num_groups, codes)
    return codes, int(codes.max(initial=-1)) + 1


def _bootstrap(
    labels: Any,
    predictions: Any,
    groups: Any,
    weights: Any,
    num_resamples: int,
    seed: int,
) -> tuple[float, np.ndarray]:
    """Computes the AUC and that of every resample, NaN where undefined."""
    rows = select_observed(labels, predictions, weights)
    codes, num_groups = _codes(rows, groups)
    value = auc(labels, predictions, weights)
    areas = np.full(num_resamples, np.nan)
    if np.isnan(value):
        return value, areas
    positives, negatives = (
        _sorted(rows, codes, rows.labels == label) for label in (1, 0)
    )
    # A positive wins against the negatives before `first` and ties with those
    # before `last`.
    first, last = (
        np.searchsorted(negatives[0], positives[0], side)
        for side in ("left", "right")
    )
    generator = np.random.default_rng(seed)
    for resample in range(num_resamples):
        drawn = _draw(generator, num_groups)
        gained = drawn[positives[1]] * positives[2]
        below = np.zeros(len(negatives[1]) + 1)
        np.cumsum(drawn[negatives[1]] * negatives[2], out=below[1:])
        pairs = gained.sum() * below[-1]
        if pairs:
            won = gained @ below[first] + gained @ below[last]
            areas[resample] = won / (2 * pairs)
    return value, areas


def _sorted(
    rows: ObservedRows, codes: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns predictions, groups and weights, by ascending prediction."""
    order = np.flatnonzero(mask)
    order = order[np.argsort(rows.predictions[order])]
    return rows.predictions[order], codes[order], rows.weights[order]


def _draw(generator: np.random.Generator, num_groups: int) -> np.ndarray:
    """Draws groups with replacement and returns their counts."""
    drawn = generator.integers(0, num_groups, num_groups)
    return np.bincount(drawn, minlength=num_groups).astype(np.float64)


def _interval(
    value: float, resampled: np.ndarray, level: float
) -> ConfidenceInterval:
    tail = (1 - level) / 2
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return ConfidenceInterval(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return ConfidenceInterval(value, float(low), float(high))


def _check(level: float, num_resamples: int) -> None:
    check_number("level", level, above=0.0, below=1.0)
    check_positive(num_resamples=num_resamples)
