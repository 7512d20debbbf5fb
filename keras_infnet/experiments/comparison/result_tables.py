"""Tables of a comparison, for Markdown and the HTML page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras_infnet.experiments.comparison.chart_points import (
    Rows,
    main_metric,
    mean_quality,
    sorted_rows,
    verdict,
)
from keras_infnet.experiments.comparison.run_comparison import Comparison

__all__ = [
    "COST_COLUMNS",
    "HTML_COLUMNS",
    "METRICS",
    "Cell",
    "Table",
    "describe_values",
    "diverged_table",
    "number_cell",
    "overview_table",
    "recipe_table",
    "result_table",
    "trial_table",
]

#: Heading and format by metric, for each main metric.
METRICS = {
    "auc": {
        "auc": ("AUC", ".4f"),
        "gauc": ("GAUC", ".4f"),
        "log_loss": ("log loss", ".4f"),
        "normalized_entropy": ("NE", ".4f"),
        "calibration": ("calibration", ".3f"),
    },
    "rmse": {"rmse": ("RMSE", ".5g"), "r2": ("R2", ".4f")},
}
_WITH_SPREAD = ("auc", "gauc", "rmse", "r2")
_COSTS = {
    "dense_parameters": ("dense weights", ",.0f"),
    "embedding_parameters": ("table weights", ",.0f"),
    "multiply_adds_a_row": ("MACs/row", ""),
    "examples_a_second": ("examples/s", ",.0f"),
    "microseconds_a_row": ("us/row", ".1f"),
}
#: Columns only of the page, and cost columns, which are in its first table.
HTML_COLUMNS = ("test", "interval")
COST_COLUMNS = tuple(heading for heading, _ in _COSTS.values())
_SIGNS = {"better": "▲", "worse": "▼", "tied": "≈"}


class Cell(NamedTuple):
    """Text of a cell, its number, and notes and badges beside it.

    `kind` is a verdict, as a CSS class. `interval` holds the low end, middle,
    high end and the zero of a bar, in percent of the column width.
    """

    text: str = ""
    value: float | None = None
    note: str = ""
    kind: str = ""
    badges: Sequence[str] = ()
    interval: Sequence[float] = ()


class Table:
    """A table given by columns; columns of empty cells are left out."""

    def __init__(
        self,
        caption: str,
        columns: Mapping[str, Sequence[Cell]],
        reference: str = "",
        wrapped: Sequence[str] = (),
    ) -> None:
        self.caption = caption
        self.columns = {
            heading: cells
            for heading, cells in columns.items()
            if any(cell != Cell() for cell in cells)
        }
        self.lines = list(zip(*self.columns.values(), strict=True))
        self.reference = reference
        self.wrapped = wrapped


def number_cell(value: float | None, form: str, **around: Any) -> Cell:
    """Formats a number; an empty `form` gives three digits and a letter."""
    if value is None:
        return Cell(**around)
    if not math.isfinite(value):
        return Cell("undefined", **around)
    text = format(value, form) if form else _compact(value)
    return Cell(text, value, **around)


def _compact(count: float) -> str:
    letters = ["T", "G", "M", "k", ""]
    # 999.5 would be rounded to 1000 of the same letter.
    while count >= 999.5 and letters[1:]:
        count /= 1000
        letters.pop()
    return f"{count:.3g}{letters[-1]}"


def describe_values(values: Mapping[str, Any]) -> str:
    """Formats settings on one line."""
    return ", ".join(f"{key} {value}" for key, value in values.items())


def result_table(
    comparison: Comparison, rows: Rows, task: str, left_out: Sequence[str]
) -> Table:
    """Returns metrics, tests and costs of a task, the best model first."""
    mine = sorted_rows(rows, task)
    main = main_metric(mine)
    columns = {"model": [_model_cell(row, comparison) for row in mine]}
    for metric, (heading, form) in METRICS[main].items():
        columns[heading] = [
            number_cell(row.get(metric), form, note=_spread(row, metric, form))
            for row in mine
        ]
        if metric == "auc":
            columns |= _test_columns(mine, comparison.reference)
    columns |= _cost_columns(mine)
    columns["runs"] = [
        Cell(
            f"{row['runs']}"
            + (f", {row['diverged']} diverged" if row["diverged"] else ""),
            row["runs"],
        )
        for row in mine
    ]
    columns = {k: v for k, v in columns.items() if k not in left_out}
    title = task
    if comparison.best is not None and task in comparison.best:
        title += f" (best reachable AUC {comparison.best[task]:.4f})"
    return Table(title, columns, comparison.reference)


def _cost_columns(rows: Rows) -> dict[str, list[Cell]]:
    return {
        heading: [number_cell(row.get(key), form) for row in rows]
        for key, (heading, form) in _COSTS.items()
    }


def _model_cell(row: Mapping[str, Any], comparison: Comparison) -> Cell:
    badges = ["reference"] if row["model"] == comparison.reference else []
    if row["diverged"]:
        badges.append(f"{row['diverged']} of {row['runs']} diverged")
    return Cell(str(row["model"]), badges=badges)


def _spread(row: Mapping[str, Any], metric: str, form: str) -> str:
    deviation = row.get(f"{metric}_sd")
    if metric not in _WITH_SPREAD or deviation is None:
        return ""
    return f"± {number_cell(deviation, form).text}"


def _test_columns(rows: Rows, reference: str) -> dict[str, list[Cell]]:
    """Returns differences, 95 % intervals as text and bars, and p values."""
    keys = ("difference_low", "difference", "difference_high")
    found = [[row.get(key, math.nan) for key in keys] for row in rows]
    ends = [end for each in found for end in each if math.isfinite(end)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    intervals, bars = [], []
    for row, each in zip(rows, found, strict=True):
        known = all(map(math.isfinite, each)) and low < high
        places = [
            round(100 * (end - low) / (high - low), 2)
            for end in (*each, 0.0)
            if known
        ]
        words = f"{each[0]:+.4f} to {each[2]:+.4f}" if "p_value" in row else ""
        intervals.append(Cell(words, each[0] if words else None))
        bar = Cell(words, each[1], "", verdict(row), (), places)
        bars.append(bar if known else Cell())
    tested = [verdict(row) for row in rows]
    return {
        "test": [
            Cell(f"{_SIGNS[found]} {found}", kind=found) if found else Cell()
            for found in tested
        ],
        f"vs. {reference}": [
            number_cell(row.get("difference"), "+.4f") for row in rows
        ],
        "95 %": intervals,
        "interval": bars,
        "p": [number_cell(row.get("p_value"), ".3f") for row in rows],
    }


def overview_table(comparison: Comparison, rows: Rows) -> Table:
    """Returns the main metric of all tasks, the best mean first."""
    means = mean_quality(rows)
    by_place = {(row["task"], row["model"]): row for row in rows}
    tasks = list(comparison.labels)
    columns = {
        "model": [
            _model_cell(by_place[tasks[0], label], comparison)
            for label in means
        ]
    }
    main = {
        task: main_metric([row for row in rows if row["task"] == task])
        for task in tasks
    }
    if list(main.values()).count("auc") > 1:
        columns["mean AUC"] = [
            Cell() if math.isnan(mean) else number_cell(mean, ".4f")
            for mean in means.values()
        ]
    for task, metric in main.items():
        heading, form = METRICS[metric][metric]
        cells = columns[f"{task} {heading}"] = []
        for row in (by_place[task, label] for label in means):
            sign = _SIGNS.get(verdict(row), "").replace("≈", "")
            cells.append(
                number_cell(row.get(metric), form, note=sign, kind=verdict(row))
            )
    columns |= _cost_columns([by_place[tasks[0], label] for label in means])
    caption = "All tasks, the best mean first"
    return Table(caption, columns, comparison.reference)


def recipe_table(comparison: Comparison) -> Table:
    """Returns class, arguments and recipe of every model."""
    given = {m.get("label", m["name"]): m for m in comparison.settings.models}
    names = ["model", "class", "arguments", "recipe", "seeds"]
    columns: dict[str, list[Cell]] = {name: [] for name in names}
    for model in comparison.models:
        arguments = dict(given.get(model.label, {}))
        arguments.pop("label", None)
        cells = [model.label, "baseline", "", "", ""]
        if arguments:
            cells[1:] = [
                str(arguments.pop("name")),
                describe_values(arguments),
                describe_values(model.chosen) or "unchanged",
                ", ".join(str(run["seed"]) for run in model.runs),
            ]
        for name, cell in zip(names, cells, strict=True):
            columns[name].append(Cell(cell))
    return Table("Models and their recipes", columns, "", names[1:4])


def trial_table(comparison: Comparison) -> Table:
    """Returns one column per trial of the search; empty without one."""
    searched = [model for model in comparison.models if model.trials]
    columns = {"model": [Cell(model.label) for model in searched]}
    for place, model in enumerate(searched):
        for trial in model.trials:
            change = {k: v for k, v in trial.items() if k != "score"}
            heading = describe_values(change) or "unchanged recipe"
            cells = columns.setdefault(heading, [Cell()] * len(searched))
            mark = "★" if change == dict(model.chosen) else ""
            cells[place] = (
                Cell("no score", note=mark)
                if trial["score"] is None
                else number_cell(trial["score"], ".4f", note=mark)
            )
    caption = "Score of each trial on the validation rows; ★ marks the best"
    return Table(caption, columns)


def diverged_table(comparison: Comparison) -> Table:
    """Tabulates seeds and errors of the diverged runs; may be empty."""
    runs = [
        (model.label, run)
        for model in comparison.models
        for run in model.runs
        if run["error"] is not None
    ]
    columns = {
        "model": [Cell(label) for label, _ in runs],
        "seed": [number_cell(run["seed"], "d") for _, run in runs],
        "error": [Cell(str(run["error"])) for _, run in runs],
    }
    return Table("Runs that diverged", columns, "", ["error"])
