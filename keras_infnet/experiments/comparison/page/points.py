"""The points that the plots of a comparison are made of."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.isotonic import IsotonicRegression

from keras_infnet.evaluation.binary_metrics import calibration_curve
from keras_infnet.evaluation.observed_labels import observed_rows
from keras_infnet.experiments.comparison.run_comparison import Compared

__all__ = [
    "CalibrationPoints",
    "Curve",
    "calibration_points",
    "epoch_curve",
    "loss_curve",
    "main_metric",
    "mean_quality",
    "pareto_front",
    "rows_before",
    "spread_out",
    "verdict",
]

_SIGNIFICANT = 0.05
_NORMAL = statistics.NormalDist().inv_cdf(0.975)


class Curve(NamedTuple):
    """A mean over runs, and the smallest and largest of them."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: int


class CalibrationPoints(NamedTuple):
    """Mean prediction and label of bins, with the ends of an interval."""

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray


def main_metric(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the metric by which the rows of one task are ordered.

    Args:
        rows: rows of `comparison_rows`, all of one task.

    Returns:
        `"auc"` or `"rmse"`.

    Example:

    >>> main_metric([{"model": "FM", "rmse": 0.7}])
    'rmse'
    """
    return "rmse" if any("rmse" in row for row in rows) else "auc"


def verdict(row: Mapping[str, Any]) -> str:
    """Says what the test against the reference found.

    Args:
        row: row of `comparison_rows`.

    Returns:
        `"better"` or `"worse"` where the p value is below 0.05, `"level"`
        where it is not, and `""` where nothing was tested.

    Example:

    >>> verdict({"difference": -0.01, "p_value": 0.02}), verdict({})
    ('worse', '')
    """
    p_value = row.get("p_value", math.nan)
    if not math.isfinite(p_value):
        return ""
    if p_value >= _SIGNIFICANT:
        return "level"
    return "better" if row["difference"] > 0 else "worse"


def mean_quality(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean AUC of every model over the tasks; without any, minus the error.

    Args:
        rows: rows of `comparison_rows`.

    Returns:
        Dict of label to float, the best first; models of which nothing is
        known come last, with NaN.

    Example:

    >>> mean_quality([
    ...     {"task": "click", "model": "FM", "auc": 0.5},
    ...     {"task": "click", "model": "DIN", "auc": 0.75},
    ...     {"task": "like", "model": "DIN", "auc": 0.25},
    ... ])
    {'FM': 0.5, 'DIN': 0.5}
    """
    binary = any("auc" in row for row in rows)
    name, sign = ("auc", 1.0) if binary else ("rmse", -1.0)
    values: dict[str, list[float]] = {}
    for row in rows:
        mine = values.setdefault(str(row["model"]), [])
        if math.isfinite(row.get(name, math.nan)):
            mine.append(sign * row[name])
    means = {
        label: float(np.mean(mine)) if mine else math.nan
        for label, mine in values.items()
    }
    return dict(
        sorted(
            means.items(),
            key=lambda item: (math.isnan(item[1]), -item[1]),
        )
    )


def loss_curve(model: Compared) -> Curve | None:
    """Training loss over rows seen.

    Args:
        model: `Compared`. Runs without a `curve` are left out.

    Returns:
        `Curve` over rows, or `None` where no run has one.
    """
    lines = []
    for run in model.runs:
        curve = run.get("curve") or {}
        lines.append((curve.get("rows") or (), curve.get("loss") or ()))
    return _over_runs(lines)


def rows_before(model: Compared) -> int:
    """Rows that a model learned from before its curve begins.

    Args:
        model: `Compared`.

    Returns:
        The most of all runs: 0 but for models that search first.
    """
    searched = [0]
    for run in model.runs:
        epochs = len((run.get("history") or {}).get("loss") or ())
        if epochs and run.get("rows") and run.get("epoch_rows"):
            searched.append(run["rows"] - epochs * run["epoch_rows"])
    return max(searched)


def epoch_curve(model: Compared, name: str) -> Curve | None:
    """A value of the training log over epochs.

    Args:
        model: `Compared`.
        name: string. Name in the log, as `"val_click_auc"`.

    Returns:
        `Curve` over epochs, from 1, or `None` where no run has more than one
        epoch of it.
    """
    lines = []
    for run in model.runs:
        values = (run.get("history") or {}).get(name) or ()
        lines.append((range(1, len(values) + 1), values))
    found = _over_runs(lines)
    return None if found is None or len(found.x) < 2 else found


def _over_runs(lines: Sequence[tuple[Any, Any]]) -> Curve | None:
    """Runs at the places of all of them, straight between their own."""
    kept = []
    for x, y in lines:
        length = min(len(x), len(y))  # a run may be cut off between the two
        places = np.asarray(x, dtype=float)[:length]
        values = np.asarray(y, dtype=float)[:length]  # `None` becomes NaN
        known = np.isfinite(places) & np.isfinite(values)
        if known.any():
            kept.append((places[known], values[known]))
    if not kept:
        return None
    grid = np.unique(np.concatenate([x for x, _ in kept]))
    stack = np.stack(
        [np.interp(grid, x, y, left=np.nan, right=np.nan) for x, y in kept]
    )
    return Curve(
        grid,
        np.nanmean(stack, axis=0),
        np.nanmin(stack, axis=0),
        np.nanmax(stack, axis=0),
        len(kept),
    )


def calibration_points(
    labels: Any,
    predictions: Sequence[Any],
    weights: Any = None,
    binary: bool = True,
    num_bins: int = 10,
) -> CalibrationPoints:
    """Predictions against what was observed, in bins of as many rows.

    The runs of a model share the bins. Intervals are for 95 % and for the
    rows of one run: those of Wilson for rates, of the normal distribution for
    means; unequal weights `w` count as `sum(w)**2 / sum(w**2)` rows. Rows are
    taken as independent.

    Args:
        labels: array of shape `(rows,)`; NaN means "not observed".
        predictions: list of arrays of shape `(rows,)`, one a run.
        weights: array of shape `(rows,)` or `None`. Defaults to `None`.
        binary: boolean. Whether labels are 0 or 1 and predictions are
            probabilities. Defaults to `True`.
        num_bins: integer. Largest number of bins. Defaults to `10`.

    Returns:
        `CalibrationPoints`, empty where no row is observed.

    Example:

    >>> points = calibration_points([0, 0, 1, 1], [[0.1, 0.1, 0.6, 0.8]],
    ...     num_bins=2)
    >>> points.predicted.round(4), points.observed
    (array([0.1, 0.7]), array([0., 1.]))
    """
    runs = len(predictions)
    scores = np.concatenate([np.reshape(p, (-1,)) for p in predictions])
    truth = np.tile(np.asarray(labels, dtype=float).reshape(-1), runs)
    shares = np.ones(len(truth))
    if weights is not None:
        shares = np.tile(np.asarray(weights, dtype=float).reshape(-1), runs)
    if binary:
        curve = calibration_curve(truth, scores, shares, num_bins)
        # The same bins: they do not depend on the weights.
        squares = calibration_curve(truth, scores, shares**2, num_bins).weight
        count = curve.weight**2 / squares / runs
        low, high = _wilson(curve.observed, count)
        return CalibrationPoints(curve.predicted, curve.observed, low, high)
    return _mean_points(truth, scores, shares, num_bins, runs)


def _wilson(
    rate: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    z = _NORMAL
    middle = (rate + z**2 / (2 * count)) / (1 + z**2 / count)
    half = np.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
    half *= z / (1 + z**2 / count)
    return middle - half, middle + half


def _mean_points(
    labels: np.ndarray,
    predictions: np.ndarray,
    weights: np.ndarray,
    num_bins: int,
    runs: int,
) -> CalibrationPoints:
    rows = observed_rows(labels, predictions, weights, binary=False)
    if not len(rows.labels):
        return CalibrationPoints(*(np.zeros(0) for _ in range(4)))
    inner = np.linspace(0, 1, num_bins + 1)[1:-1]
    edges = np.unique(np.quantile(rows.predictions, inner))
    bins = np.searchsorted(edges, rows.predictions, side="right")
    total, squares, predicted, observed, second = (
        np.bincount(bins, values, num_bins)
        for values in (
            rows.weights,
            rows.weights**2,
            rows.weights * rows.predictions,
            rows.weights * rows.labels,
            rows.weights * rows.labels**2,
        )
    )
    used = total > 0
    total = total[used]
    mean = observed[used] / total
    variance = np.maximum(second[used] / total - mean**2, 0.0)
    count = total**2 / squares[used] / runs
    half = _NORMAL * np.sqrt(variance / count)
    return CalibrationPoints(
        predicted[used] / total, mean, mean - half, mean + half
    )


def pareto_front(costs: Any, qualities: Any) -> np.ndarray:
    """Tells which points no other one beats in both cost and quality.

    A point is on the front unless another one costs no more and is no worse,
    and differs from it.

    Args:
        costs: array of shape `(points,)`, less is better.
        qualities: array of shape `(points,)`, more is better.

    Returns:
        Boolean array of shape `(points,)`.

    Example:

    >>> pareto_front([1, 2, 3], [0.5, 0.4, 0.6])
    array([ True, False,  True])
    """
    costs = np.asarray(costs, dtype=float)
    qualities = np.asarray(qualities, dtype=float)
    # (point, other)
    no_worse = (costs <= costs[:, None]) & (qualities >= qualities[:, None])
    differs = (costs != costs[:, None]) | (qualities != qualities[:, None])
    return ~(no_worse & differs).any(axis=1)


def spread_out(
    positions: Any, gap: float, low: float, high: float
) -> np.ndarray:
    """Moves positions as little as can be until they are a gap apart.

    Little is the sum of squares. Where the range is too short for all, the
    gap is what fits.

    Args:
        positions: array of shape `(labels,)`.
        gap: float. Smallest distance.
        low: float. Lower end of the range.
        high: float. Upper end.

    Returns:
        Float array of shape `(labels,)`.

    Example:

    >>> spread_out([0.5, 0.5, 0.9], gap=0.2, low=0.0, high=1.0)
    array([0.4, 0.6, 0.9])
    """
    wanted = np.asarray(positions, dtype=float)
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(count)
    # Without the gaps the moved positions just may not fall.
    fit = IsotonicRegression(y_min=low, y_max=high - gap * (count - 1))
    moved = np.empty(count)
    moved[order] = fit.fit_transform(np.arange(count), wanted[order] - steps)
    moved[order] += steps
    return moved
