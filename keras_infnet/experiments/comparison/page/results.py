"""Tables of results."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_infnet.experiments.comparison.page.markup import (
    element,
    number,
    table,
)
from keras_infnet.experiments.comparison.page.points import (
    main_metric,
    mean_quality,
    verdict,
)
from keras_infnet.experiments.comparison.run_comparison import Comparison

__all__ = ["COSTS", "mark", "overview_table", "result_table", "sorted_rows"]

#: Column of `comparison_rows`, heading, format.
COSTS = (
    ("dense_parameters", "dense weights", ",.0f"),
    ("embedding_parameters", "table weights", ",.0f"),
    ("multiply_adds_a_row", "multiply-adds a row", ",.0f"),
    ("examples_a_second", "examples/s", ",.0f"),
    ("microseconds_a_row", "µs/row", ".1f"),
)
_METRICS = {
    "auc": (
        ("gauc", "GAUC", ".4f"),
        ("log_loss", "log loss", ".4f"),
        ("normalized_entropy", "NE", ".4f"),
        ("calibration", "calibration", ".3f"),
    ),
    "rmse": (("r2", "R2", ".4f"),),
}
_MAIN = {"auc": ("AUC", ".4f"), "rmse": ("RMSE", ".5g")}
_SPREAD = ("gauc", "r2")
# Told apart by sign and word, not by colour alone.
_VERDICTS = {"better": "▲ better", "worse": "▼ worse", "level": "≈ level"}


def sorted_rows(
    rows: Sequence[Mapping[str, Any]], task: str
) -> list[Mapping[str, Any]]:
    """Returns the rows of a task, the best first.

    Args:
        rows: rows of `comparison_rows`.
        task: string.

    Returns:
        List of rows; those without a number come last.
    """
    mine = [row for row in rows if row["task"] == task]
    order = list(mean_quality(mine))
    return sorted(mine, key=lambda row: order.index(str(row["model"])))


def result_table(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], task: str
) -> str:
    """Writes the results of a task.

    Args:
        comparison: `Comparison`.
        rows: rows of `comparison_rows`.
        task: string.

    Returns:
        HTML of a table, the best model first.
    """
    mine = sorted_rows(rows, task)
    metric = main_metric(mine)
    title, form = _MAIN[metric]
    scale = _interval_scale(mine)
    headings = ["model", title, "test", f"less {comparison.reference}"]
    headings += ["interval", "p"]
    headings += [name for _, name, _ in _METRICS[metric]] + ["runs"]
    lines = []
    for row in mine:
        line = [_model(row, comparison), _spread(row, metric, form)]
        line += [
            mark(row),
            _difference(row),
            _interval_bar(row, scale),
            number(row.get("p_value"), ".3f"),
        ]
        line += [
            _spread(row, key, f) if key in _SPREAD else number(row.get(key), f)
            for key, _, f in _METRICS[metric]
        ]
        line.append(number(row["runs"], "d"))
        lines.append(line)
    direction = "descending" if metric == "auc" else "ascending"
    return table(
        f"{task}: mean ± standard deviation over seeds, the best first",
        headings,
        lines,
        [row["model"] == comparison.reference for row in mine],
        {1: direction},
    )


def overview_table(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]]
) -> str:
    """Writes the main metric of all tasks side by side.

    Args:
        comparison: `Comparison`.
        rows: rows of `comparison_rows`.

    Returns:
        HTML of a table, the model with the best mean first.
    """
    metrics = {
        task: main_metric([row for row in rows if row["task"] == task])
        for task in comparison.labels
    }
    means = mean_quality(rows)
    ranked = [task for task, metric in metrics.items() if metric == "auc"]
    headings = ["model", "mean AUC" if len(ranked) > 1 else ""]
    headings += [f"{t} {_MAIN[metric][0]}" for t, metric in metrics.items()]
    headings += [name for _, name, _ in COSTS]
    by_place = {(row["task"], row["model"]): row for row in rows}
    lines = []
    for label, mean in means.items():
        first = by_place[next(iter(metrics)), label]
        line = [_model(first, comparison)]
        line.append(
            number(mean, ".4f") if len(ranked) > 1 and mean == mean else ""
        )
        for task, metric in metrics.items():
            row = by_place[task, label]
            sign = mark(row, short=True)
            value = number(row.get(metric), _MAIN[metric][1])
            line.append(f"{sign} {value}" if sign else value)
        line += [number(first.get(key), form) for key, _, form in COSTS]
        lines.append(line)
    return table(
        "All tasks, the best mean first",
        headings,
        lines,
        [label == comparison.reference for label in means],
    )


def mark(row: Mapping[str, Any], short: bool = False) -> str:
    """Writes what the test against the reference found, as sign and word.

    Args:
        row: row of `comparison_rows`.
        short: boolean. Whether to write the sign alone where there is a
            difference, and nothing where there is none. Defaults to `False`.

    Returns:
        HTML, `""` where nothing was tested.
    """
    found = verdict(row)
    if not found or (short and found == "level"):
        return ""
    words = _VERDICTS[found]
    if short:
        meaning = f"{found} than the reference"
        return element(
            "span",
            words[0],
            class_=found,
            title=meaning,
            role="img",
            aria_label=meaning,
        )
    return element("span", words, class_=found)


def _model(row: Mapping[str, Any], comparison: Comparison) -> str:
    label = html.escape(str(row["model"]))
    if row["model"] == comparison.reference:
        label += " " + element("span", "reference", class_="badge")
    if row["diverged"]:
        words = f"{row['diverged']} of {row['runs']} diverged"
        label += " " + element("span", words, class_="badge")
    return label


def _spread(row: Mapping[str, Any], metric: str, form: str) -> str:
    text = number(row.get(metric), form)
    deviation = number(row.get(f"{metric}_sd"), form)
    if deviation:
        text += element("span", f" ± {deviation}", class_="spread")
    return text


def _difference(row: Mapping[str, Any]) -> str:
    if "difference" not in row:
        return ""
    middle, low, high = (
        number(row[name], "+.4f")
        for name in ("difference", "difference_low", "difference_high")
    )
    interval = element("span", f" ({low} to {high})", class_="spread")
    return middle + interval


def _interval_scale(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Ends of the bars of a task; zero is among them."""
    ends = [
        row[f"difference_{end}"]
        for row in rows
        for end in ("low", "high")
        if math.isfinite(row.get(f"difference_{end}", math.nan))
    ]
    return min([0.0, *ends]), max([0.0, *ends])


def _interval_bar(row: Mapping[str, Any], scale: tuple[float, float]) -> str:
    """The interval of a difference as a bar beside that of no difference."""
    ends = [
        row.get(key, math.nan)
        for key in ("difference_low", "difference", "difference_high")
    ]
    if not all(map(math.isfinite, ends)) or scale[0] == scale[1]:
        return ""
    zero, low, middle, high = (
        round(6 + 132 * (end - scale[0]) / (scale[1] - scale[0]), 2)
        for end in (0.0, *ends)
    )
    found = verdict(row)
    color = found if found in ("better", "worse") else "muted"
    # Hollow where nothing was told apart.
    fill = "paper" if color == "muted" else color
    words = f"from {ends[0]:+.4f} to {ends[2]:+.4f}, 0 is the reference"
    return element(
        "svg",
        f'<line x1="{zero}" y1="0" x2="{zero}" y2="20" '
        'stroke="var(--ink)"></line>'
        f'<line x1="{low}" y1="10" x2="{high}" y2="10" '
        f'stroke="var(--{color})" stroke-width="2.5"></line>'
        f'<circle cx="{middle}" cy="10" r="4" fill="var(--{fill})" '
        f'stroke="var(--{color})" stroke-width="2"></circle>',
        class_="interval",
        viewBox="0 0 144 20",
        role="img",
        aria_label=words,
    )
