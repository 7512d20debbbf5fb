"""Tables of a comparison."""

import importlib.util
import json
import logging
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_infnet.evaluation.confidence_intervals import auc_difference_interval
from keras_infnet.experiments.comparison.page import write_page
from keras_infnet.experiments.comparison.run_comparison import (
    Compared,
    Comparison,
)
from keras_infnet.experiments.result_files import csv_text, made_with
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.json_values import json_safe

__all__ = ["comparison_rows", "format_comparison", "write_comparison"]

_LOGGER = logging.getLogger("keras_infnet")

_BINARY = ("auc", "gauc", "log_loss", "normalized_entropy", "calibration")
_REGRESSION = ("rmse", "r2")


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Returns one row a task and model.

    A row has the mean of each metric over the seeds under its name and the
    standard deviation under `{metric}_sd`; for binary tasks the AUC less that
    of the reference as `difference`, its 95 % interval over resampled users
    as `difference_low` and `difference_high`, and `p_value`; the numbers of
    `runs` and of `diverged` ones; `dense_parameters`,
    `embedding_parameters`, `examples_a_second` of training,
    `microseconds_a_row` and `multiply_adds_a_row` of prediction.

    Args:
        comparison: `Comparison`.

    Returns:
        List of dicts.
    """
    by_label = {model.label: model for model in comparison.models}
    reference = by_label[comparison.reference]
    rows = []
    for task in comparison.labels:
        for model in comparison.models:
            row: dict[str, Any] = {"task": task, "model": model.label}
            row["runs"] = len(model.runs)
            row["diverged"] = sum(
                run["error"] is not None for run in model.runs
            )
            row |= _metrics(model, task)
            if "auc" in row and model is not reference:
                row |= _difference(comparison, model, reference, task)
            row |= _costs(model)
            rows.append(row)
    return rows


def _metrics(model: Compared, task: str) -> dict[str, float]:
    found = [run["metrics"][task] for run in model.runs if run["metrics"]]
    result = {}
    for metric in (*_BINARY, *_REGRESSION):
        values = [
            math.nan if metrics[metric] is None else metrics[metric]
            for metrics in found
            if metric in metrics
        ]
        if values:
            result[metric] = float(np.mean(values))
            if len(values) > 1:
                result[f"{metric}_sd"] = float(np.std(values, ddof=1))
    return result


def _difference(
    comparison: Comparison, model: Compared, reference: Compared, task: str
) -> dict[str, float]:
    if not model.predictions or not reference.predictions:
        return {}
    found = auc_difference_interval(
        comparison.labels[task],
        np.stack([run[task] for run in model.predictions]),
        np.stack([run[task] for run in reference.predictions]),
        comparison.groups,
        comparison.weights[task],
        num_resamples=comparison.settings.resamples,
    )
    return {
        "difference": found.value,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
    }


def _costs(model: Compared) -> dict[str, float]:
    costs: dict[str, float] = {}
    for kind, count in model.parameters.items():
        costs[f"{kind}_parameters"] = count
    if model.examples_a_second is not None:
        costs["examples_a_second"] = model.examples_a_second
    if model.microseconds is not None:
        costs["microseconds_a_row"] = model.microseconds
    if model.multiply_adds is not None:
        costs["multiply_adds_a_row"] = model.multiply_adds
    return costs


def format_comparison(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], markdown: bool
) -> str:
    """Writes a table a task, the best AUC (or smallest error) first.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.
        markdown: boolean. Whether to write Markdown.

    Returns:
        String without a newline at the end.
    """
    parts = []
    for task in comparison.labels:
        mine = [row for row in rows if row["task"] == task]
        binary = any("auc" in row for row in mine)
        mine.sort(key=lambda row: _rank(row, binary))
        title = task
        if comparison.best is not None and task in comparison.best:
            title += f" (best reachable AUC {comparison.best[task]:.4f})"
        lines = [_headings(binary, comparison.reference)]
        lines += [_cells(row, binary) for row in mine]
        empty = {
            i
            for i in range(len(lines[0]))
            if all(not line[i] for line in lines[1:])
        }
        lines = [
            [cell for i, cell in enumerate(line) if i not in empty]
            for line in lines
        ]
        table = _markdown(lines) if markdown else _aligned(lines)
        parts.append(
            f"### {title}\n\n{table}" if markdown else f"{title}\n{table}"
        )
    return "\n\n".join(parts)


def _rank(row: Mapping[str, Any], binary: bool) -> float:
    value = row.get("auc" if binary else "rmse", math.nan)
    if not math.isfinite(value):
        return math.inf
    return -value if binary else value


def _headings(binary: bool, reference: str) -> list[str]:
    head = ["model", "RMSE", "R2"]
    if binary:
        head = ["model", "AUC", f"less {reference}", "95 %", "p"]
        head += ["GAUC", "log loss", "NE", "calibration"]
    costs = ["dense weights", "table weights", "MACs/row"]
    return [*head, *costs, "examples/s", "us/row", "runs"]


def _cells(row: Mapping[str, Any], binary: bool) -> list[str]:
    def number(name: str, form: str) -> str:
        value = row.get(name)
        if value is None:
            return ""
        return format(value, form) if math.isfinite(value) else "undefined"

    def spread(name: str, form: str) -> str:
        deviation = number(f"{name}_sd", form)
        return number(name, form) + (f" ± {deviation}" if deviation else "")

    cells = [str(row["model"])]
    if binary:
        ends = ""
        if "difference_low" in row:
            low, high = number("difference_low", "+.4f"), "difference_high"
            ends = f"{low} to {number(high, '+.4f')}"
        cells += [
            spread("auc", ".4f"),
            number("difference", "+.4f"),
            ends,
            number("p_value", ".3f"),
            spread("gauc", ".4f"),
            number("log_loss", ".4f"),
            number("normalized_entropy", ".4f"),
            number("calibration", ".3f"),
        ]
    else:
        cells += [spread("rmse", ".5g"), spread("r2", ".4f")]
    cells += [
        number("dense_parameters", ",.0f"),
        number("embedding_parameters", ",.0f"),
        _compact(row.get("multiply_adds_a_row")),
        number("examples_a_second", ",.0f"),
        number("microseconds_a_row", ".1f"),
    ]
    diverged = row["diverged"]
    note = f"{row['runs']}"
    return [*cells, f"{note}, {diverged} diverged" if diverged else note]


def _compact(count: int | None) -> str:
    """Three digits and a letter."""
    if count is None:
        return ""
    value, letters = float(count), ["T", "G", "M", "k", ""]
    # What rounds to a thousand of one letter is one of the next.
    while value >= 999.5 and letters[1:]:
        value /= 1000
        letters.pop()
    return f"{value:.3g}{letters[-1]}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(
                zip(line, widths, strict=True)
            )
        ).rstrip()
        for line in lines
    )


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(lines[0]) - 1)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def write_comparison(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]]
) -> list[pathlib.Path]:
    """Writes `comparison.md`, `.csv`, `.json` and `.html` to the directory.

    The last one, a page with plots, is written where matplotlib is installed.
    The files are named for the `title` of the settings.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.

    Returns:
        List of the paths.
    """
    everything = {
        "settings": comparison.settings.to_dict(),
        **made_with(),
        "reference": comparison.reference,
        "best": comparison.best,
        "rows": rows,
        "models": [
            {
                "label": model.label,
                "chosen": dict(model.chosen),
                "trials": model.trials,
                "runs": model.runs,
            }
            for model in comparison.models
        ],
    }
    texts = {
        "md": format_comparison(comparison, rows, markdown=True) + "\n",
        "csv": csv_text(rows),
        "json": json.dumps(json_safe(everything), indent=2) + "\n",
    }
    folder = pathlib.Path(comparison.settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, text in texts.items():
        path = folder / f"{comparison.settings.title}.{suffix}"
        write_text(path, text)
        paths.append(path)
    if importlib.util.find_spec("matplotlib") is None:
        _LOGGER.warning(
            "No %s.html: matplotlib is not installed "
            '(python -m pip install "keras-infnet[plot]").',
            comparison.settings.title,
        )
        return paths
    _LOGGER.info("Drawing %s.html.", comparison.settings.title)
    return [*paths, write_page(comparison, rows)]
