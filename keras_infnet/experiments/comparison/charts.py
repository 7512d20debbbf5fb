"""Charts of a comparison, as Vega-Lite specifications."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_infnet.experiments.comparison.chart_points import (
    Rows,
    Series,
    calibration_points,
    epoch_curve,
    error_ends,
    loss_curve,
    main_metric,
    mean_quality,
    pareto_front,
    sorted_rows,
    spread_out,
)
from keras_infnet.experiments.comparison.run_comparison import Comparison
from keras_infnet.utils.json_values import json_safe
from keras_infnet.utils.templates import render

__all__ = [
    "Chart",
    "Panel",
    "calibration_chart",
    "cost_charts",
    "curve_charts",
    "curve_domain",
    "is_logarithmic",
]

_QUALITIES = {"auc": "AUC", "rmse": "RMSE"}
_COSTS = {
    "microseconds_a_row": "microseconds per predicted row",
    "dense_parameters": "dense weights",
    "multiply_adds_a_row": "multiply-adds per row",
}


class Panel(NamedTuple):
    """One panel of a chart: the model it highlights, a note, a description."""

    model: str
    note: str
    description: str


class Chart(NamedTuple):
    """A Vega-Lite specification, drawn once per panel."""

    title: str
    spec: dict[str, Any]
    panels: list[Panel]


def _chart(
    template: str, title: str, panels: list[Panel], **values: Any
) -> Chart:
    spec = json.loads(render(template, **json_safe(values)))
    return Chart(title, spec, panels)


def curve_charts(comparison: Comparison, rows: Rows) -> list[Chart]:
    """Returns training loss by rows read and validation metrics by epoch."""
    models = {model.label: model for model in comparison.models}
    models = {label: models[label] for label in mean_quality(rows)}
    kinds = []
    if len(comparison.labels) > 1:
        kinds.append(("val_mean_auc", "mean AUC", ""))
    for task in comparison.labels:
        metric = main_metric([row for row in rows if row["task"] == task])
        name = f"val_{task}_{metric}"
        kinds.append((name, _QUALITIES[metric], f" of {task}"))
    losses = {label: loss_curve(model) for label, model in models.items()}
    found = [("training loss", "rows read", "loss", losses)]
    for name, quality, of_task in kinds:
        curves = {label: epoch_curve(m, name) for label, m in models.items()}
        title = f"validation {quality}{of_task}"
        found.append((title, "epoch", quality, curves))
    return [
        _curve_chart(title, x, y, known, comparison.reference)
        for title, x, y, curves in found
        if (known := {label: c for label, c in curves.items() if c})
    ]


def _curve_chart(
    title: str, x: str, y: str, curves: Mapping[str, Series], reference: str
) -> Chart:
    of_loss = y == "loss"
    ends = {}
    for label, curve in curves.items():
        # The loss of a single batch is noisy.
        last = max(1, len(curve.x) // 10) if of_loss else 1
        ends[label] = float(curve.y[-last:].mean())
    panels = []
    for label, end in ends.items():
        words = f"{label}: {title} ends at {end:.4g}"
        if label != reference and reference in ends:
            words += f", {reference} at {ends[reference]:.4g}"
        panels.append(Panel(label, f"ends at {end:.4f}", words))
    return _chart(
        "comparison_panel.json",
        title,
        panels,
        values=_points(curves),
        reference=reference,
        height=120,
        diagonal=[],
        x_title=x,
        y_title=y,
        x_scale={},
        y_scale=_scale(*curve_domain(list(curves.values()), of_loss)),
    )


def _points(series: Mapping[str, Series]) -> list[dict[str, Any]]:
    return [
        {"model": label, "x": x, "y": y, "low": low, "high": high}
        for label, found in series.items()
        for x, y, low, high in zip(*found, strict=True)
    ]


def _scale(low: float, high: float, kind: str = "linear") -> dict[str, Any]:
    return {"domain": [low, high], "nice": False, "zero": False, "type": kind}


def curve_domain(
    curves: Sequence[Series], of_loss: bool = False
) -> tuple[float, float]:
    """Returns the ends of an axis on which curves differ visibly.

    A loss may exceed it in its steep first twentieth and its highest percent.
    """
    values = []
    for curve in curves:
        first = len(curve.x) // 20 if of_loss else 0
        values += [curve.low[first:], curve.high[first:]]
    low = np.min(np.concatenate(values))
    high = np.quantile(np.concatenate(values), 0.99 if of_loss else 1.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def cost_charts(comparison: Comparison, rows: Rows, task: str) -> list[Chart]:
    """Returns quality against each known cost, with the Pareto front."""
    mine = sorted_rows(rows, task)
    metric = main_metric(mine)
    quality, reference = _QUALITIES[metric], comparison.reference
    known = [r for r in mine if math.isfinite(r.get(metric, math.nan))]
    charts = []
    for key, cost in _COSTS.items():
        points = []
        for row in known:
            low, high = error_ends(row, known, reference)
            is_reference = row["model"] == reference
            name = row["model"] + (" (reference)" if is_reference else "")
            point = {"model": row["model"], "name": name, "y": row[metric]}
            point |= {"low": low, "high": high, "is_reference": is_reference}
            # A logarithmic axis has no zero.
            points.append({**point, "cost": row.get(key) or None})
        if any(point["cost"] for point in points):
            title = f"{task}: {quality} against {cost}"
            words = f"{title}. The table of {task} has the numbers."
            charts.append(
                _chart(
                    "comparison_cost.json",
                    title,
                    [Panel("", "", words)],
                    x_title=cost,
                    y_title=f"{quality} of {task}",
                    reverse=metric == "rmse",
                    **_cost_layout(points, -1 if metric == "rmse" else 1),
                )
            )
    return charts


def _cost_layout(points: list[dict[str, Any]], sign: int) -> dict[str, Any]:
    """Returns the Pareto front, axis domains and positions of the names."""
    costly = [point for point in points if point["cost"]]
    ahead = pareto_front(
        [p["cost"] for p in costly], [sign * p["y"] for p in costly]
    )
    front = [p for p, is_ahead in zip(costly, ahead, strict=True) if is_ahead]
    front.sort(key=lambda point: point["cost"])
    costs = [point["cost"] for point in costly]
    # The axis spans at least a factor of four: small differences look small.
    margin = max(1.25, (4 * min(costs) / max(costs)) ** 0.5)
    x_domain = min(costs) / margin, max(costs) * margin
    ends = [p[key] for p in points for key in ("low", "y", "high")]
    ends = [end for end in ends if math.isfinite(end)]
    margin = 0.06 * (max(ends) - min(ends)) or 0.02 * abs(ends[0]) or 1.0
    low, high = min(ends) - margin, max(ends) + margin
    height = max(220, 17 * len(points))
    gap = 15 / height * (high - low)
    places = spread_out([point["y"] for point in points], gap, low, high)
    return {
        "values": [
            {**point, "name_y": place, "on_front": point in front}
            for point, place in zip(points, places, strict=True)
        ],
        "front": [*front, {**front[-1], "cost": x_domain[1]}],
        "x_domain": x_domain,
        "y_domain": (low, high),
        "height": height,
    }


def calibration_chart(
    comparison: Comparison, rows: Rows, task: str
) -> Chart | None:
    """Charts observed against predicted values.

    Returns `None` if no model has predictions.
    """
    mine = sorted_rows(rows, task)
    binary = main_metric(mine) == "auc"
    models = {model.label: model for model in comparison.models}
    points: dict[str, Series] = {}
    panels = []
    for row in mine:
        label = row["model"]
        runs = [run[task] for run in models[label].predictions]
        if not runs:
            continue
        found = calibration_points(
            comparison.labels[task], runs, comparison.weights[task], binary
        )
        if len(found.x):
            points[label] = found
            far = np.abs(found.x - found.y).max()
            ratio = row.get("calibration")
            note = "" if ratio is None else f"predicted/observed {ratio:.3f}"
            words = f"{label}, {task}: predicted against observed; bins "
            words += f"differ by at most {far:.3g}"
            panels.append(Panel(label, note, words))
    if not points:
        return None
    numbers = np.concatenate([p[i] for p in points.values() for i in (0, 1)])
    kind = "linear"
    if binary and is_logarithmic(list(points.values())):
        kind = "log"
        low, high = numbers[numbers > 0].min() / 1.5, numbers.max() * 1.5
    else:
        margin = 0.05 * np.ptp(numbers) or 0.5
        low, high = numbers.min() - margin, numbers.max() + margin
    if binary:
        low, high = max(0.0, low), min(1.0, high)
    scale = {**_scale(low, high, kind), "clamp": kind == "log"}
    return _chart(
        "comparison_panel.json",
        task,
        panels,
        values=_points(points),
        reference=comparison.reference,
        height=170,
        diagonal=[low, high],
        x_title="predicted",
        y_title="observed",
        x_scale=scale,
        y_scale=scale,
    )


def is_logarithmic(points: Sequence[Series]) -> bool:
    """Returns whether rates span more than a factor of 30, as rare labels."""
    seen = np.concatenate([value for p in points for value in p[:2]])
    seen = seen[seen > 0]
    return bool(len(seen) and seen.max() > 30 * np.quantile(seen, 0.05))
