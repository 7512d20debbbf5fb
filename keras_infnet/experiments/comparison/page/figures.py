"""The parts of the page that are made of plots."""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_infnet.experiments.comparison.page.costs import CostPoint, cost_plot
from keras_infnet.experiments.comparison.page.markup import element, number
from keras_infnet.experiments.comparison.page.panels import (
    calibration_panel,
    curve_limits,
    curve_panel,
)
from keras_infnet.experiments.comparison.page.points import (
    CalibrationPoints,
    Curve,
    calibration_points,
    epoch_curve,
    loss_curve,
    main_metric,
    mean_quality,
    rows_before,
)
from keras_infnet.experiments.comparison.page.results import sorted_rows
from keras_infnet.experiments.comparison.run_comparison import (
    Compared,
    Comparison,
)

__all__ = ["calibration_figures", "cost_figures", "curve_figures", "error_ends"]

_COSTS = (
    ("microseconds_a_row", "microseconds to predict a row"),
    ("dense_parameters", "dense weights"),
    ("multiply_adds_a_row", "multiply-adds a row"),
)
_QUALITIES = {"auc": "AUC", "rmse": "RMSE"}


def curve_figures(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]]
) -> str:
    """Draws learning curves, one panel a model.

    Args:
        comparison: `Comparison`.
        rows: rows of `comparison_rows`.

    Returns:
        HTML: training loss over rows seen and, where there is more than one
        epoch, the metrics of the validation rows.
    """
    models = _in_order(comparison, rows)
    groups = [_losses(models), *_validated(comparison, rows, models)]
    parts = [
        _curves(f"curve{place}", group, comparison.reference)
        for place, group in enumerate(groups)
        if group.curves
    ]
    parts += [
        _note(
            f"{html.escape(label)} searched on {count:,} rows before its "
            "curve begins: its search has seen the rows whose loss the curve "
            "shows."
        )
        for label, model in models.items()
        if (count := rows_before(model)) > 0
    ]
    without = [
        html.escape(label)
        for label in models
        if label not in groups[0].curves and label in comparison.settings.labels
    ]
    if without:
        names = ", ".join(without)
        parts.append(
            _note(f"The course of the training loss is not kept of {names}.")
        )
    return "\n".join(parts)


class _Group(NamedTuple):
    """Panels of one kind."""

    what: str
    axes_labels: tuple[str, str]
    curves: Mapping[str, Curve]
    of_loss: bool = False
    folded: bool = False


def _losses(models: Mapping[str, Compared]) -> _Group:
    found = {label: loss_curve(model) for label, model in models.items()}
    curves = {label: curve for label, curve in found.items() if curve}
    return _Group("training loss", ("rows seen", "loss"), curves, of_loss=True)


def _validated(
    comparison: Comparison,
    rows: Sequence[Mapping[str, Any]],
    models: Mapping[str, Compared],
) -> list[_Group]:
    """The mean of the tasks and, where there is one, folded, each of them."""
    kinds = []
    if len(comparison.labels) > 1:
        kinds.append(("val_mean_auc", "mean AUC", ""))
    for task in comparison.labels:
        metric = main_metric([row for row in rows if row["task"] == task])
        kinds.append((f"val_{task}_{metric}", _QUALITIES[metric], task))
    groups: list[_Group] = []
    for name, quality, task in kinds:
        found = {label: epoch_curve(m, name) for label, m in models.items()}
        curves = {label: curve for label, curve in found.items() if curve}
        what = f"validation {quality}" + (f" of {task}" if task else "")
        folded = any(group.what == "validation mean AUC" for group in groups)
        if curves:
            groups.append(
                _Group(what, ("epoch", quality), curves, folded=folded)
            )
    return groups


def _curves(name: str, group: _Group, reference: str) -> str:
    curves = group.curves
    ends = {}
    for label, curve in curves.items():
        # The loss of a few rows says little.
        last = max(1, len(curve.x) // 10) if group.of_loss else 1
        ends[label] = float(curve.mean[-last:].mean())
    limits = curve_limits(list(curves.values()), group.of_loss)

    def panel(place: int, label: str) -> str:
        title = f"{label}: {group.what} ends at {ends[label]:.4g}"
        if label != reference and reference in ends:
            title += f", that of {reference} at {ends[reference]:.4g}"
        plot = curve_panel(
            f"{name}-{place}",
            title,
            curves,
            label,
            reference,
            group.axes_labels,
            limits,
        )
        words = f"ends at {number(ends[label], '.4f')}"
        return _panel(label, reference, words, plot)

    title = html.escape(group.what[0].upper() + group.what[1:])
    several = any(curve.runs > 1 for curve in curves.values())
    spread = "mean of the seeds, with the smallest and largest of them"
    content = [
        _legend(reference, spread if several else "one seed"),
        _panels(panel, curves),
    ]
    if group.of_loss:
        content.insert(
            0,
            _note(
                "Loss of rows before they are learned from, the sum of the "
                "tasks. It ends at the mean of its last tenth."
            ),
        )
    if group.folded:
        heading = element("summary", title)
        return element("details", "\n".join([heading, *content]))
    return "\n".join([element("h3", title), *content])


def error_ends(
    row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], reference: str
) -> tuple[float, float]:
    """Returns the ends of the error bar of a model.

    Args:
        row: row of `comparison_rows`.
        rows: all rows of its task.
        reference: string. Label of the reference.

    Returns:
        Ends of the interval of the difference, put upon the AUC of the
        reference; where nothing was tested, mean less and plus the standard
        deviation over seeds. NaN where there is neither.
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


def cost_figures(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], task: str
) -> str:
    """Draws quality against each cost.

    Args:
        comparison: `Comparison`.
        rows: rows of `comparison_rows`.
        task: string.

    Returns:
        HTML, `""` where no cost is known.
    """
    mine = sorted_rows(rows, task)
    metric = main_metric(mine)
    known = [r for r in mine if math.isfinite(r.get(metric, math.nan))]
    parts = []
    for key, words in _COSTS:
        points = [
            CostPoint(
                str(row["model"]),
                # No cost at all has no place on a logarithmic axis.
                row.get(key) or None,
                row[metric],
                *error_ends(row, known, comparison.reference),
            )
            for row in known
        ]
        if not any(point.cost for point in points):
            continue
        title = f"{task}: {_QUALITIES[metric]} against {words}"
        plot = cost_plot(
            f"{key.split('_')[0]}-{list(comparison.labels).index(task)}",
            f"{title}. The numbers are in the table of {task}.",
            points,
            comparison.reference,
            (f"{words}, logarithmic", f"{_QUALITIES[metric]} of {task}"),
            metric == "auc",
        )
        caption = element("figcaption", html.escape(title))
        parts.append(
            element("figure", caption + plot, class_="wide", tabindex="0")
        )
    return "\n".join(parts)


def calibration_figures(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], task: str
) -> str:
    """Draws promises against what was observed, one panel a model.

    Args:
        comparison: `Comparison`.
        rows: rows of `comparison_rows`.
        task: string.

    Returns:
        HTML, `""` where nothing was predicted.
    """
    mine = sorted_rows(rows, task)
    binary = main_metric(mine) == "auc"
    models = {model.label: model for model in comparison.models}
    points: dict[str, CalibrationPoints] = {}
    for row in mine:
        runs = models[row["model"]].predictions
        if runs:
            found = calibration_points(
                comparison.labels[task],
                [run[task] for run in runs],
                comparison.weights[task],
                binary,
            )
            if len(found.predicted):
                points[row["model"]] = found
    if not points:
        return ""
    ratios = {row["model"]: row.get("calibration") for row in mine}
    reference = comparison.reference
    name = f"calibration{list(comparison.labels).index(task)}"

    def panel(place: int, label: str) -> str:
        ratio = number(ratios[label], ".3f")
        found = points[label]
        furthest = float(np.abs(found.predicted - found.observed).max())
        return _panel(
            label,
            reference,
            f"predicted/observed {ratio}" if ratio else "",
            calibration_panel(
                f"{name}-{place}",
                f"{label}, {task}: predicted against observed; at most "
                f"{furthest:.3g} apart in a bin",
                points,
                label,
                reference,
                binary,
            ),
        )

    return _panels(panel, points)


def _panels(panel: Callable[[int, str], str], labels: Mapping[str, Any]) -> str:
    content = "\n".join(panel(i, label) for i, label in enumerate(labels))
    return element("div", content, class_="panels")


def _panel(label: str, reference: str, words: str, plot: str) -> str:
    name = element("b", html.escape(label))
    if label == reference:
        name += element("span", "reference", class_="badge")
    caption = element("figcaption", f"{name}<br>{words}")
    return element("figure", caption + plot)


def _legend(reference: str, spread: str) -> str:
    items = (
        ("", f"the model of the panel: {spread}"),
        ("dashed", f"{reference}, the reference"),
        ("others", "all others"),
    )
    return element(
        "ul",
        "".join(
            element(
                "li",
                element("span", class_=f"key {kind}".strip())
                + html.escape(words),
            )
            for kind, words in items
        ),
        class_="legend",
    )


def _note(content: str) -> str:
    return element("p", content, class_="note")


def _in_order(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Compared]:
    models = {model.label: model for model in comparison.models}
    return {label: models[label] for label in mean_quality(rows)}
