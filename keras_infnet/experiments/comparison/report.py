"""Result files of a comparison."""

import importlib.util
import json
import logging
import math
import pathlib
from typing import Any

import numpy as np

from keras_infnet.evaluation.confidence_intervals import auc_difference_interval
from keras_infnet.experiments.comparison.chart_points import Rows
from keras_infnet.experiments.comparison.page import write_page
from keras_infnet.experiments.comparison.result_tables import (
    HTML_COLUMNS,
    METRICS,
    result_table,
)
from keras_infnet.experiments.comparison.run_comparison import (
    Compared,
    Comparison,
)
from keras_infnet.experiments.run_store import made_with
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.installation import install_command
from keras_infnet.utils.json_values import json_safe
from keras_infnet.utils.tables import aligned_table, csv_table, markdown_table

__all__ = ["comparison_rows", "format_comparison", "write_comparison"]

_LOGGER = logging.getLogger("keras_infnet")


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Returns one row per task and model.

    A row has the mean of each metric over the seeds under its name and the
    standard deviation under `{metric}_sd`; for binary tasks the AUC minus that
    of the reference as `difference`, its 95 % bootstrap interval over users
    as `difference_low` and `difference_high`, and `p_value`; the numbers of
    `runs` and of `diverged` runs; `dense_parameters`,
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
    for metric in [name for kind in METRICS.values() for name in kind]:
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
    costs: dict[str, float | None] = {
        f"{kind}_parameters": count for kind, count in model.parameters.items()
    }
    costs["examples_a_second"] = model.examples_a_second
    costs["microseconds_a_row"] = model.microseconds
    costs["multiply_adds_a_row"] = model.multiply_adds
    return {key: cost for key, cost in costs.items() if cost is not None}


def format_comparison(
    comparison: Comparison, rows: Rows, markdown: bool
) -> str:
    """Formats one table per task, the best AUC (or smallest error) first.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.
        markdown: boolean. Whether to format as Markdown.

    Returns:
        String without a newline at the end.
    """
    parts = []
    for task in comparison.labels:
        table = result_table(comparison, rows, task, HTML_COLUMNS)
        lines = [list(table.columns)]
        for cells in table.lines:
            notes = [f"{cell.text} {cell.note}".strip() for cell in cells]
            lines.append([cells[0].text, *notes[1:]])
        parts.append(
            f"### {table.caption}\n\n{markdown_table(lines)}"
            if markdown
            else f"{table.caption}\n{aligned_table(lines)}"
        )
    return "\n\n".join(parts)


def write_comparison(comparison: Comparison, rows: Rows) -> list[pathlib.Path]:
    """Writes `comparison.md`, `.csv`, `.json` and `.html` to the directory.

    The HTML page, with charts, needs the extra `plot`. The files are named
    after the `title` of the settings.

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
                name: getattr(model, name)
                for name in ("label", "chosen", "trials", "runs")
            }
            for model in comparison.models
        ],
    }
    texts = {
        "md": format_comparison(comparison, rows, markdown=True) + "\n",
        "csv": csv_table(rows),
        "json": json.dumps(json_safe(everything), indent=2) + "\n",
    }
    folder = pathlib.Path(comparison.settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, text in texts.items():
        path = folder / f"{comparison.settings.title}.{suffix}"
        write_text(path, text)
        paths.append(path)
    if importlib.util.find_spec("vl_convert") is None:
        _LOGGER.warning(
            "%s.html is not written: vl-convert is not installed (%s).",
            comparison.settings.title,
            install_command("plot"),
        )
        return paths
    _LOGGER.info("Drawing %s.html.", comparison.settings.title)
    return [*paths, write_page(comparison, rows)]
