"""HTML page of a comparison: tables and charts in one file."""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import pathlib
import platform

import keras
import numpy as np

from keras_infnet.experiments.comparison import charts
from keras_infnet.experiments.comparison.chart_points import (
    Rows,
    main_metric,
    rows_before,
    sorted_rows,
    verdict,
)
from keras_infnet.experiments.comparison.result_tables import (
    COST_COLUMNS,
    describe_values,
    diverged_table,
    overview_table,
    recipe_table,
    result_table,
    trial_table,
)
from keras_infnet.experiments.comparison.run_comparison import Comparison
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.installation import install_command
from keras_infnet.utils.templates import render
from keras_infnet.version import __version__

__all__ = ["format_page", "write_page"]

_DRAW = """window.draw = (place, spec) =>
  vegaEmbed(place, spec, {renderer: "svg", actions: false});"""


def write_page(comparison: Comparison, rows: Rows) -> pathlib.Path:
    """Writes `comparison.html` to the directory of the comparison.

    The file is named after the `title` of the settings.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.

    Returns:
        Path of the file.

    Raises:
        ImportError: If vl-convert is not installed.
    """
    text = format_page(comparison, rows)
    folder = pathlib.Path(comparison.settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{comparison.settings.title}.html"
    write_text(path, text)
    return path


def format_page(comparison: Comparison, rows: Rows) -> str:
    """Formats a comparison as one self-contained page.

    It shows settings and data, tables of results, learning curves, quality
    against cost, and calibration, without network access. Equal input gives
    equal text.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.

    Returns:
        HTML.

    Raises:
        ImportError: If vl-convert is not installed.
    """
    if importlib.util.find_spec("vl_convert") is None:
        raise ImportError(
            "the charts of a comparison page need vl-convert: "
            f"{install_command('plot')}."
        )
    source = comparison.settings.data.dataset or "tables"
    count = len(comparison.models)
    tasks = list(comparison.labels)
    calibrations = [
        chart
        for task in tasks
        if (chart := charts.calibration_chart(comparison, rows, task))
    ]
    curves = charts.curve_charts(comparison, rows)
    drawn = {panel.model for panel in curves[0].panels} if curves else set()
    costs = [
        chart
        for task in tasks
        for chart in charts.cost_charts(comparison, rows, task)
    ]
    return render(
        "comparison.html",
        title=f"{count} model{'s' if count != 1 else ''} on {source}",
        facts=_facts(comparison),
        summaries=[_summary(comparison, rows, task) for task in tasks],
        overview=overview_table(comparison, rows),
        diverged=diverged_table(comparison),
        tested=sum(bool(verdict(row)) for row in rows),
        has_intervals=any("difference_low" in row for row in rows),
        results=[
            result_table(comparison, rows, task, COST_COLUMNS) for task in tasks
        ],
        curves=curves,
        searched={m.label: rows_before(m) for m in comparison.models},
        without_curve=[
            label for label in comparison.settings.labels if label not in drawn
        ],
        costs=costs,
        calibrations=calibrations,
        recipes=[recipe_table(comparison), trial_table(comparison)],
        reference=comparison.reference,
        specs=[chart.spec for chart in [*curves, *costs, *calibrations]],
        library=_library(),
    )


@functools.cache
def _library() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle(_DRAW))


def _facts(comparison: Comparison) -> dict[str, str]:
    settings, data = comparison.settings, comparison.settings.data
    recipe = dataclasses.asdict(settings.training)
    seeds = recipe.pop("seeds")
    # Settings that are off are left out; zeros are shown.
    given = {
        key: value
        for key, value in recipe.items()
        if value is not None and value is not False and value != {}
    }
    search = settings.search
    trials = "1 per model: the unchanged recipe, no search"
    if search.trials > 1:
        ranges = ", ".join(
            "{} {:g} to {:g}".format(name, *getattr(search, name))
            for name in search.ranges
        )
        trials = (
            f"{search.trials} per model, scored on the validation rows: the "
            f"recipe and {search.trials - 1} drawn from {ranges} "
            f"(seed {search.seed})"
        )
    names = ("schema", "train", "validation", "test")
    source = describe_values(
        {n: getattr(data, n) for n in names if getattr(data, n)}
    )
    if data.dataset is not None:
        options = f" ({describe_values(data.options)})" if data.options else ""
        source = data.dataset + options
    runs = [run for model in comparison.models for run in model.runs]
    read = [run["epoch_rows"] for run in runs if run.get("epoch_rows")]
    resampled = "rows" if comparison.groups is None else "users"
    facts = {
        "Data": source,
        "Training rows": f"{read[0]:,} per epoch" if read else "",
        "Evaluated rows": _evaluated_rows(comparison),
        "Reference": comparison.reference,
        "Seeds": ", ".join(map(str, seeds)),
        "Trials": trials,
        "Recipe": describe_values(given),
        "Intervals": f"95 %, {settings.resamples} resamples of {resampled}",
        "Software": _versions(),
    }
    return {name: words for name, words in facts.items() if words}


def _evaluated_rows(comparison: Comparison) -> str:
    parts = []
    total = 0
    for task, labels in comparison.labels.items():
        labels = np.reshape(np.asarray(labels, dtype=float), (-1,))
        weights = np.reshape(comparison.weights[task], (-1,))
        known = ~np.isnan(labels) & (weights > 0)
        total = len(labels)
        mean = f", mean {labels[known].mean():.4g}" if known.any() else ""
        parts.append(f"{task} {known.sum():,} labels{mean}")
    return f"{total:,}: {'; '.join(parts)}"


def _versions() -> str:
    backend = keras.backend.backend()
    names = {"keras-infnet": __version__, "Keras": keras.__version__}
    try:
        names[backend] = importlib.metadata.version(backend)
    except importlib.metadata.PackageNotFoundError:  # such as tensorflow-cpu
        names[backend] = ""
    names |= {"NumPy": np.__version__, "Python": platform.python_version()}
    words = ", ".join(f"{k} {v}".strip() for k, v in names.items())
    return f"backend {backend}; {words}"


def _summary(comparison: Comparison, rows: Rows, task: str) -> str:
    mine = sorted_rows(rows, task)
    metric = main_metric(mine)
    if not np.isfinite(mine[0].get(metric, np.nan)):
        return f"{task}: no model has a result."
    text = f"{task}: {mine[0]['model']} is best, "
    text += f"{metric.upper()} {mine[0][metric]:.4f}"
    found = [verdict(row) for row in mine]
    if any(found):
        base = next(r for r in mine if r["model"] == comparison.reference)
        text += (
            f". Against {comparison.reference} ({base[metric]:.4f}), "
            f"{found.count('better')} better, {found.count('worse')} worse, "
            f"{found.count('tied')} tied"
        )
    if comparison.best is not None and task in comparison.best:
        text += f". Best reachable AUC: {comparison.best[task]:.4f}"
    return f"{text}."
