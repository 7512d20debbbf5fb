"""The page of a comparison."""

import dataclasses
import html
import importlib.metadata
import importlib.util
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_infnet.experiments.comparison.page.figures import (
    calibration_figures,
    cost_figures,
    curve_figures,
)
from keras_infnet.experiments.comparison.page.markup import element, pairs
from keras_infnet.experiments.comparison.page.points import main_metric, verdict
from keras_infnet.experiments.comparison.page.recipes import (
    diverged_table,
    recipe_table,
    trial_table,
)
from keras_infnet.experiments.comparison.page.results import (
    overview_table,
    result_table,
    sorted_rows,
)
from keras_infnet.experiments.comparison.page.style import STYLE_SHEET
from keras_infnet.experiments.comparison.run_comparison import Comparison
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.version import __version__

__all__ = ["format_page", "write_page"]

Rows = Sequence[Mapping[str, Any]]


def write_page(comparison: Comparison, rows: Rows) -> pathlib.Path:
    """Writes `comparison.html` to the directory of the comparison.

    The file is named for the `title` of the settings.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.

    Returns:
        Path of the file.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    text = format_page(comparison, rows)
    folder = pathlib.Path(comparison.settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{comparison.settings.title}.html"
    write_text(path, text)
    return path


def format_page(comparison: Comparison, rows: Rows) -> str:
    """Writes a comparison as one page that needs nothing beside itself.

    It holds what was compared, the tables of results, learning curves,
    quality against cost, and calibration. Equal input gives equal text.

    Args:
        comparison: `Comparison`.
        rows: result of `comparison_rows`.

    Returns:
        HTML.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "the page of a comparison has plots and needs matplotlib: "
            'python -m pip install "keras-infnet[plot]".'
        )
    source = comparison.settings.data.dataset or "tables"
    count = len(comparison.models)
    title = f"{count} model{'s' if count != 1 else ''} on {source}"
    sections = {
        "results": ("Results", _results(comparison, rows)),
        "curves": ("Learning curves", curve_figures(comparison, rows)),
        "costs": ("Quality against cost", _costs(comparison, rows)),
        "calibration": ("Calibration", _calibration(comparison, rows)),
        "recipes": ("Models, recipes and trials", _recipes(comparison)),
    }
    parts = [
        element("h1", html.escape(title)),
        element(
            "nav",
            "\n".join(
                element("a", words, href=f"#{name}")
                for name, (words, content) in sections.items()
                if content
            ),
            aria_label="Sections",
        ),
        _facts(comparison),
    ]
    for name, (words, content) in sections.items():
        if content:
            heading = element("h2", words)
            parts.append(element("section", f"{heading}\n{content}", id=name))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            element("title", html.escape(f"Comparison: {title}")),
            element("style", STYLE_SHEET),
            "</head>",
            element("body", element("main", "\n".join(parts))),
            "</html>\n",
        ]
    )


def _facts(comparison: Comparison) -> str:
    settings = comparison.settings
    recipe = dataclasses.asdict(settings.training)
    seeds = recipe.pop("seeds")
    # What is switched off says nothing; a zero does.
    given = {
        key: value
        for key, value in recipe.items()
        if value is not None and value is not False and value != {}
    }
    search = settings.search
    trials = "1 a model: the recipe as it is, no search"
    if search.trials > 1:
        ranges = ", ".join(
            "{} {:g} to {:g}".format(name, *getattr(search, name))
            for name in search.ranges
        )
        trials = (
            f"{search.trials} a model, scored on the validation rows: the "
            f"recipe and {search.trials - 1} drawn within {ranges} "
            f"(seed {search.seed})"
        )
    facts = {
        "Data": _data(comparison),
        "Training rows": _training_rows(comparison),
        "Evaluated rows": _evaluated_rows(comparison),
        "Reference": comparison.reference,
        "Seeds": ", ".join(map(str, seeds)),
        "Trials": trials,
        "Recipe": pairs(given),
        "Intervals": f"95 %, {settings.resamples} resamples of "
        + ("rows" if comparison.groups is None else "users"),
        "Software": _versions(),
    }
    return element(
        "dl",
        "\n".join(
            element("dt", name) + element("dd", html.escape(words))
            for name, words in facts.items()
            if words
        ),
    )


def _data(comparison: Comparison) -> str:
    data = comparison.settings.data
    if data.dataset is not None:
        options = pairs(data.options)
        return data.dataset + (f" ({options})" if options else "")
    names = ("schema", "train", "validation", "test")
    return pairs({n: getattr(data, n) for n in names if getattr(data, n)})


def _training_rows(comparison: Comparison) -> str:
    for model in comparison.models:
        for run in model.runs:
            if run.get("epoch_rows"):
                return f"{run['epoch_rows']:,} an epoch"
    return ""


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
    except importlib.metadata.PackageNotFoundError:  # under another name
        names[backend] = ""
    names |= {"NumPy": np.__version__, "Python": platform.python_version()}
    words = ", ".join(f"{k} {v}".strip() for k, v in names.items())
    return f"backend {backend}; {words}"


def _results(comparison: Comparison, rows: Rows) -> str:
    items = [
        element("li", _summary(comparison, rows, task))
        for task in comparison.labels
    ]
    parts = [
        element("ul", "\n".join(items)),
        overview_table(comparison, rows),
        diverged_table(comparison),
    ]
    tested = sum(bool(verdict(row)) for row in rows)
    if tested:
        parts.append(
            element(
                "p",
                "▲ better and ▼ worse than the reference: p below 0.05, by "
                "resampling the evaluated rows of all seeds. ≈ level: no "
                "difference was found, which is no proof that there is none. "
                "The test speaks of other users, not of other seeds: their "
                "spread stands behind ±. Models are tested against the "
                "reference alone, not against their neighbours, and p is not "
                f"corrected: of {tested} tests, {0.05 * tested:.1f} would pass "
                "by chance where nothing differs.",
                class_="note",
            )
        )
    for task in comparison.labels:
        parts.append(element("h3", html.escape(task)))
        parts.append(result_table(comparison, rows, task))
    return "\n".join(part for part in parts if part)


def _summary(comparison: Comparison, rows: Rows, task: str) -> str:
    mine = sorted_rows(rows, task)
    metric = main_metric(mine)
    name = "AUC" if metric == "auc" else "RMSE"
    text = f"{task}: "
    if not np.isfinite(mine[0].get(metric, np.nan)):
        return html.escape(f"{text}nothing was measured.")
    text += f"{mine[0]['model']} comes first, {name} {mine[0][metric]:.4f}"
    found = [verdict(row) for row in mine]
    reference = next(r for r in mine if r["model"] == comparison.reference)
    if any(found):
        text += (
            f". Against {comparison.reference} ({reference[metric]:.4f}), "
            f"{found.count('better')} better, {found.count('worse')} worse, "
            f"{found.count('level')} level"
        )
    if comparison.best is not None and task in comparison.best:
        text += f". Best reachable AUC: {comparison.best[task]:.4f}"
    return html.escape(text + ".")


def _costs(comparison: Comparison, rows: Rows) -> str:
    figures = [
        figure
        for task in comparison.labels
        if (figure := cost_figures(comparison, rows, task))
    ]
    if not figures:
        return ""
    tested = any("difference_low" in row for row in rows)
    bars = (
        "Bars are the intervals of the differences to the reference: one that "
        "crosses the dashed line is not told apart from it"
        if tested
        else "Bars are standard deviations over seeds"
    )
    words = (
        f"{bars}. Filled points, the stairs and bold labels are the Pareto "
        "front: no model is both better and cheaper. The square is the "
        "reference, dotted lines are models of which no cost is known. Times "
        "are those of one machine, and of one batch."
    )
    plots = element("div", "\n".join(figures), class_="plots")
    return "\n".join([element("p", words, class_="note"), plots])


def _calibration(comparison: Comparison, rows: Rows) -> str:
    parts = []
    for task in comparison.labels:
        figures = calibration_figures(comparison, rows, task)
        if figures:
            parts += [element("h3", html.escape(task)), figures]
    if not parts:
        return ""
    words = (
        "Ten bins of as many rows each, all runs of a model together. On the "
        "dotted line, what is promised is what comes. Bars are 95 % intervals "
        "that take rows as independent and as many as in one run; dashed is "
        "the reference, grey are the others."
    )
    return "\n".join([element("p", words, class_="note"), *parts])


def _recipes(comparison: Comparison) -> str:
    return "\n".join([recipe_table(comparison), trial_table(comparison)])
