"""What was compared: models, recipes, trials, runs that diverged."""

import html
from typing import Any

from keras_infnet.experiments.comparison.page.markup import (
    element,
    number,
    pairs,
    table,
)
from keras_infnet.experiments.comparison.run_comparison import Comparison

__all__ = ["diverged_table", "recipe_table", "trial_table"]


def recipe_table(comparison: Comparison) -> str:
    """Writes what every model is, and the recipe that it was trained with.

    Args:
        comparison: `Comparison`.

    Returns:
        HTML of a table.
    """
    arguments = {
        str(model.get("label", model["name"])): model
        for model in comparison.settings.models
    }
    lines = []
    for model in comparison.models:
        given = arguments.get(model.label)
        of_class = "" if given is None else str(given["name"])
        settings = {
            key: value
            for key, value in (given or {}).items()
            if key not in ("label", "name")
        }
        chosen = pairs(model.chosen) if model.chosen else "as given"
        seeds = ", ".join(str(run["seed"]) for run in model.runs)
        lines.append(
            [
                html.escape(model.label),
                html.escape(of_class) if given else "baseline",
                element("code", html.escape(pairs(settings)))
                if settings
                else "",
                html.escape(chosen) if given else "",
                html.escape(seeds) if given else "",
            ]
        )
    headings = ["model", "class", "arguments", "recipe", "seeds"]
    return table("Models and their recipes", headings, lines, words=(1, 2, 3))


def trial_table(comparison: Comparison) -> str:
    """Writes the scores of the search, `""` where there was none.

    Args:
        comparison: `Comparison`.

    Returns:
        HTML of a table, a column a trial.
    """
    changes: list[dict[str, Any]] = []
    for model in comparison.models:
        for trial in model.trials:
            change = {k: v for k, v in trial.items() if k != "score"}
            if change not in changes:
                changes.append(change)
    if not changes:
        return ""
    lines = []
    for model in comparison.models:
        if not model.trials:
            continue
        line = [html.escape(model.label)]
        scores: dict[int, float | None] = {
            changes.index({k: v for k, v in t.items() if k != "score"}): t[
                "score"
            ]
            for t in model.trials
        }
        for place, change in enumerate(changes):
            if place not in scores:
                line.append("")
                continue
            score = scores[place]
            cell = "no score" if score is None else number(score, ".4f")
            if change == dict(model.chosen):
                cell = "★ " + element("b", cell)
            line.append(cell)
        lines.append(line)
    headings = ["model", *(pairs(c) or "the recipe" for c in changes)]
    return table(
        "Score of each trial on the validation rows; ★ is the chosen one",
        headings,
        lines,
    )


def diverged_table(comparison: Comparison) -> str:
    """Writes the runs that diverged, `""` where none did.

    Args:
        comparison: `Comparison`.

    Returns:
        HTML of a table.
    """
    lines = [
        [
            html.escape(model.label),
            number(run["seed"], "d"),
            html.escape(str(run["error"])),
        ]
        for model in comparison.models
        for run in model.runs
        if run["error"] is not None
    ]
    if not lines:
        return ""
    headings = ["model", "seed", "error"]
    return table("Runs that diverged", headings, lines, words=(2,))
