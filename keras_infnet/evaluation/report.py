"""Exact metrics of all tasks, and their table."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.evaluation.binary_metrics import (
    calibration,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
)
from keras_infnet.evaluation.observed_rows import select_observed
from keras_infnet.evaluation.ranking_metrics import auc, gauc
from keras_infnet.evaluation.regression_metrics import r2, rmse
from keras_infnet.schema import Schema, Task, nearest_name
from keras_infnet.utils.tables import aligned_table

__all__ = ["evaluate", "format_report"]

Results = dict[str, dict[str, float]]

#: Columns of the table: metric, heading, format.
_COLUMNS = {
    "binary": (
        ("rows", "rows", ",.0f"),
        ("rate", "rate", ".4f"),
        ("auc", "AUC", ".4f"),
        ("gauc", "GAUC", ".4f"),
        ("log_loss", "log loss", ".4f"),
        ("normalized_entropy", "NE", ".4f"),
        ("calibration", "calibration", ".3f"),
    ),
    "regression": (
        ("rows", "rows", ",.0f"),
        ("mean", "mean", ".5g"),
        ("rmse", "RMSE", ".5g"),
        ("r2", "R2", ".4f"),
    ),
}


def evaluate(
    labels: Mapping[str, Any],
    predictions: Mapping[str, Any],
    weights: Mapping[str, Any] | None,
    schema: Schema,
    groups: Any = None,
) -> Results:
    """Computes the exact metrics of every task.

    Rows with a NaN label or weight 0 are ignored, per task.

    Args:
        labels: mapping of task name to array of shape `(rows,)`.
        predictions: mapping of task name to array of shape `(rows,)` or
            `(rows, 1)`, as `Model.predict` returns.
        weights: mapping of task name to array of shape `(rows,)`, or `None`.
            Tasks without an entry have weight 1.
        schema: `Schema`.
        groups: array of shape `(rows,)` or `None`. Group (user) of every row,
            for GAUC. Defaults to `None`.

    Returns:
        Dict of task name to dict of metric name to float, NaN where a metric
        is undefined. Every task has `rows`. Binary tasks have `rate`, `auc`,
        `log_loss`, `normalized_entropy`, `calibration`,
        `expected_calibration_error` and, with groups, `gauc`, `gauc_uniform`
        and `gauc_groups` (the number of groups with both classes).
        Regression tasks have `mean`, `rmse` and `r2`.

    Raises:
        ValueError: If a task has no labels or predictions, or values are out
            of range.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema([Categorical("item_id")], [Task("click")])
    >>> results = evaluate(
    ...     {"click": [0, 0, 1, 1]},
    ...     {"click": [0.1, 0.4, 0.35, 0.8]},
    ...     None,
    ...     schema,
    ... )
    >>> results["click"]["auc"], results["click"]["rate"]
    (0.75, 0.5)
    """
    for given, what in ((labels, "label"), (predictions, "prediction")):
        for name in schema.task_names:
            if name not in given:
                raise ValueError(
                    f"task {name!r} has no {what}s: "
                    + nearest_name(name, given, what)
                )
    results = {}
    for task in schema.tasks:
        rows = (
            labels[task.name],
            predictions[task.name],
            None if weights is None else weights.get(task.name),
        )
        try:
            results[task.name] = _metrics(task, rows, groups)
        except ValueError as error:
            raise ValueError(f"task {task.name!r}: {error}") from error
    return results


def _metrics(task: Task, rows: tuple[Any, Any, Any], groups: Any) -> Any:
    binary = task.kind == "binary"
    observed = select_observed(*rows, binary=binary)
    count = len(observed.labels)
    mean = (
        float(np.average(observed.labels, weights=observed.weights))
        if count
        else float("nan")
    )
    if not binary:
        return {
            "rows": float(count),
            "mean": mean,
            "rmse": rmse(*rows),
            "r2": r2(*rows),
        }
    metrics = {
        "rows": float(count),
        "rate": mean,
        "auc": auc(*rows),
        "log_loss": log_loss(*rows),
        "normalized_entropy": normalized_entropy(*rows),
        "calibration": calibration(*rows),
        "expected_calibration_error": expected_calibration_error(*rows),
    }
    if groups is not None:
        labels, predictions, weights = rows
        for name, weighting in (
            ("gauc", "impressions"),
            ("gauc_uniform", "uniform"),
        ):
            metrics[name], used = gauc(
                labels, predictions, groups, weighting, weights
            )
        metrics["gauc_groups"] = float(used)
    return metrics


def format_report(
    results: Mapping[str, Mapping[str, float | None]],
    extra: Mapping[str, Mapping[str, float | None]] | None = None,
) -> str:
    """Formats results as an aligned table, one line per task.

    Binary and regression tasks have separate tables. Metrics that are NaN or
    `None` are "undefined"; missing ones are "-".

    Args:
        results: dict of task name to dict of metrics, from `evaluate`.
        extra: mapping of heading to dict of task name to number. Additional
            columns, such as the AUC of a baseline. Defaults to `None`.

    Returns:
        String without a newline at the end.

    Raises:
        ValueError: If `extra` names an unknown task.

    Example:

    >>> print(format_report(
    ...     {"click": {"auc": 0.75, "calibration": float("nan")}},
    ...     extra={"best AUC": {"click": 0.8}},
    ... ))
    task      AUC  calibration  best AUC
    click  0.7500    undefined    0.8000
    """
    extra = extra or {}
    for column in extra.values():
        for task in column:
            if task not in results:
                raise ValueError(nearest_name(task, results, "task"))
    tables = []
    for kind, columns in _COLUMNS.items():
        tasks = [
            task
            for task, metrics in results.items()
            if ("rmse" in metrics) == (kind == "regression")
        ]
        lines = _lines(tasks, results, columns, extra)
        if tasks:
            tables.append(aligned_table(lines))
    return "\n\n".join(tables)


def _lines(
    tasks: list[str],
    results: Mapping[str, Mapping[str, float | None]],
    columns: tuple[tuple[str, str, str], ...],
    extra: Mapping[str, Mapping[str, float | None]],
) -> list[list[str]]:
    """Cells of a table, the headings first; empty columns are left out."""
    lines = [["task"], *([task] for task in tasks)]
    for metric, heading, form in columns:
        if any(metric in results[task] for task in tasks):
            lines[0].append(heading)
            for line in lines[1:]:
                line.append(_cell(results[line[0]], metric, form))
    for heading, values in extra.items():
        if any(task in values for task in tasks):
            lines[0].append(heading)
            for line in lines[1:]:
                line.append(_cell(values, line[0], ".4f"))
    return lines


def _cell(values: Mapping[str, float | None], key: str, form: str) -> str:
    if key not in values:
        return "-"
    value = values[key]
    if value is None or not math.isfinite(value):
        return "undefined"
    return format(value, form)
