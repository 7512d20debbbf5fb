"""Numbers behind the charts of a comparison."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.isotonic import IsotonicRegression

from keras_infnet.evaluation.observed_rows import select_observed
from keras_infnet.experiments.comparison.run_comparison import Compared

__all__ = [
    "Rows",
    "Series",
    "calibration_points",
    "epoch_curve",
    "error_ends",
    "loss_curve",
    "main_metric",
    "mean_quality",
    "pareto_front",
    "rows_before",
    "sorted_rows",
    "spread_out",
    "verdict",
]

Rows = Sequence[Mapping[str, Any]]

_SIGNIFICANT = 0.05
_NORMAL = statistics.NormalDist().inv_cdf(0.975)
# More points of a line are indistinguishable.
_MOST_POINTS = 50


class Series(NamedTuple):
    """Points of a line, each with a lower and an upper bound."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def main_metric(rows: Rows) -> str:
    """Returns the metric that orders the rows of a task: "auc" or "rmse"."""
    return "rmse" if any("rmse" in row for row in rows) else "auc"


def verdict(row: Mapping[str, Any]) -> str:
    """Returns `"better"`, `"worse"` or `"tied"` (p >= 0.05); `""` untested."""
    p_value = row.get("p_value", math.nan)
    if not math.isfinite(p_value):
        return ""
    if p_value >= _SIGNIFICANT:
        return "tied"
    return "better" if row["difference"] > 0 else "worse"


def mean_quality(rows: Rows) -> dict[str, float]:
    """Returns the mean AUC over tasks by model, the best first.

    Without binary tasks it is the negative mean error. Models without results
    come last, with NaN.
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
        sorted(means.items(), key=lambda item: (math.isnan(item[1]), -item[1]))
    )


def sorted_rows(rows: Rows, task: str) -> list[Mapping[str, Any]]:
    """Returns the rows of a task from best to worst, missing results last."""
    mine = [row for row in rows if row["task"] == task]
    order = list(mean_quality(mine))
    return sorted(mine, key=lambda row: order.index(str(row["model"])))


def error_ends(
    row: Mapping[str, Any], rows: Rows, reference: str
) -> tuple[float, float]:
    """Returns the ends of the error bar of a model, NaN without one.

    The bar is the interval of the difference, added to the AUC of the
    reference, or, without tests, one standard deviation over the seeds.
    """
    metric = main_metric(rows)
    if any("difference_low" in other for other in rows):
        base = next(r[metric] for r in rows if r["model"] == reference)
        low, high = (
            row.get(f"difference_{end}", math.nan) for end in ("low", "high")
        )
        return base + low, base + high
    spread = row.get(f"{metric}_sd", math.nan)
    return row[metric] - spread, row[metric] + spread


def loss_curve(model: Compared) -> Series | None:
    """Returns the training loss by rows read; `None` if not recorded."""
    lines = []
    for run in model.runs:
        curve = run.get("curve") or {}
        lines.append((curve.get("rows") or (), curve.get("loss") or ()))
    return _over_runs(lines)


def rows_before(model: Compared) -> int:
    """Returns the rows that the search stage of AutoIFS read."""
    searched = [0]
    for run in model.runs:
        epochs = len((run.get("history") or {}).get("loss") or ())
        if epochs and run.get("rows") and run.get("epoch_rows"):
            searched.append(run["rows"] - epochs * run["epoch_rows"])
    return max(searched)


def epoch_curve(model: Compared, name: str) -> Series | None:
    """Returns a metric of the history by epoch; `None` below two epochs."""
    lines = []
    for run in model.runs:
        values = (run.get("history") or {}).get(name) or ()
        lines.append((range(1, len(values) + 1), values))
    found = _over_runs(lines)
    return None if found is None or len(found.x) < 2 else found


def _over_runs(lines: Sequence[tuple[Any, Any]]) -> Series | None:
    """Returns mean, minimum and maximum of runs, interpolated linearly."""
    kept = []
    for x, y in lines:
        length = min(len(x), len(y))  # an interrupted run may lack the last y
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
    parts = np.array_split(np.arange(len(grid)), min(len(grid), _MOST_POINTS))
    columns = [grid]
    columns += [f(stack, axis=0) for f in (np.nanmean, np.nanmin, np.nanmax)]
    return Series(
        *(np.array([c[part].mean() for part in parts]) for c in columns)
    )


def calibration_points(
    labels: Any,
    predictions: Sequence[Any],
    weights: Any = None,
    binary: bool = True,
    num_bins: int = 10,
) -> Series:
    """Returns the mean label by mean prediction in bins of equal size.

    All runs of a model share the bins. The 95 % intervals hold for the rows of
    one run, assumed independent: Wilson intervals for rates, normal ones for
    means. Weights `w` give an effective size of `sum(w)**2 / sum(w**2)` rows.
    """
    runs = len(predictions)
    scores = np.concatenate([np.reshape(p, (-1,)) for p in predictions])
    if weights is not None:
        weights = np.tile(np.reshape(weights, (-1,)), runs)
    truth = np.tile(np.reshape(labels, (-1,)), runs)
    rows = select_observed(truth, scores, weights, binary)
    if not len(rows.labels):
        return Series(*np.zeros((4, 0)))
    inner = np.linspace(0, 1, num_bins + 1)[1:-1]
    edges = np.unique(np.quantile(rows.predictions, inner))
    bins = np.searchsorted(edges, rows.predictions, side="right")
    total, squares, predicted, observed, second = (
        np.bincount(bins, rows.weights * values, num_bins)
        for values in (
            np.ones(len(bins)),
            rows.weights,
            rows.predictions,
            rows.labels,
            rows.labels**2,
        )
    )
    used = total > 0
    total = total[used]
    mean = observed[used] / total
    variance = np.maximum(second[used] / total - mean**2, 0.0)
    count = total**2 / squares[used] / runs
    # Wilson interval; without the shrinkage it is the normal interval.
    z = _NORMAL
    shrunk = z**2 / count if binary else np.zeros(len(count))
    middle = (mean + shrunk / 2) / (1 + shrunk)
    half = z * np.sqrt(variance / count + shrunk / (4 * count)) / (1 + shrunk)
    x = predicted[used] / total
    return Series(x, mean, middle - half, middle + half)


def pareto_front(costs: Any, qualities: Any) -> np.ndarray:
    """Marks the points that no other point dominates."""
    costs = np.asarray(costs, dtype=float)
    qualities = np.asarray(qualities, dtype=float)
    # (point, other)
    no_worse = (costs <= costs[:, None]) & (qualities >= qualities[:, None])
    differs = (costs != costs[:, None]) | (qualities != qualities[:, None])
    return ~(no_worse & differs).any(axis=1)


def spread_out(
    positions: Any, gap: float, low: float, high: float
) -> np.ndarray:
    """Moves positions apart by at least a gap, at the least squared distance.

    The gap shrinks where the range is too short.
    """
    wanted = np.asarray(positions, dtype=float)
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(count)
    # With the gaps subtracted, the moved positions must be non-decreasing.
    fit = IsotonicRegression(y_min=low, y_max=high - gap * (count - 1))
    moved = np.empty(count)
    moved[order] = fit.fit_transform(np.arange(count), wanted[order] - steps)
    moved[order] += steps
    return moved
