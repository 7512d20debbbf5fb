"""Trials of a sweep, their tables and the best settings."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_infnet.experiments.run_store import made_with
from keras_infnet.experiments.tuning.settings import SweepSettings
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.utils.tables import aligned_table, csv_table

__all__ = [
    "Sweep",
    "SweepTrial",
    "describe_changes",
    "format_sweep",
    "sweep_rows",
    "write_sweep",
]

_TITLES = {"auc": "AUC", "rmse": "RMSE"}


@dataclasses.dataclass(frozen=True)
class SweepTrial:
    """One trial of a sweep.

    Args:
        number: integer, from 1.
        changes: mapping of path to value.
        score: float, or `None` if the trial failed.
        error: string or `None`. Reason of a failure.
        seconds: float or `None`. Time of training and evaluation. Defaults to
            `None`.
        metrics: results by task on the validation rows, or `None`. Defaults
            to `None`.
    """

    number: int
    changes: Mapping[str, Any]
    score: float | None
    error: str | None
    seconds: float | None = None
    metrics: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Results of a sweep.

    Args:
        settings: `SweepSettings`.
        metric: `"auc"` (higher is better) or `"rmse"` (lower is better).
        trials: list of `SweepTrial`, in order.
    """

    settings: SweepSettings
    metric: str
    trials: list[SweepTrial]

    @property
    def ranked(self) -> list[SweepTrial]:
        """The trials, the best first and failed ones last."""
        sign = -1.0 if self.metric == "auc" else 1.0
        return sorted(
            self.trials,
            key=lambda trial: (
                trial.score is None,
                0.0 if trial.score is None else sign * trial.score,
                trial.number,
            ),
        )

    @property
    def best(self) -> SweepTrial | None:
        """The trial with the best score, or `None` if all failed."""
        ranked = self.ranked
        return None if not ranked or ranked[0].score is None else ranked[0]

    @property
    def best_settings(self) -> dict[str, Any] | None:
        """Settings of the best trial, for `ExperimentSettings.from_dict`."""
        if self.best is None:
            return None
        folder = pathlib.PurePath(self.settings.directory) / "best"
        found = dataclasses.replace(
            self.settings.changed(self.best.changes), directory=str(folder)
        )
        return dict(json_safe(found.to_dict()))


def describe_changes(changes: Mapping[str, Any]) -> str:
    """Formats the values of a trial on one line.

    Example:

    >>> describe_changes({"training.learning_rate": 0.002, "model.fold": None})
    'learning_rate 0.002, fold null'
    """
    return ", ".join(f"{_short(p)} {_cell(v)}" for p, v in changes.items())


def sweep_rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Returns one row per trial, the best first.

    A row has `trial`, the score as `auc` or `rmse`, the metric of each task
    as `{task}_auc` or `{task}_rmse`, one column per path, `seconds` and
    `error`.

    Args:
        sweep: `Sweep`.

    Returns:
        List of dicts.
    """
    rows = []
    for trial in sweep.ranked:
        row: dict[str, Any] = {"trial": trial.number, sweep.metric: trial.score}
        for task, metrics in (trial.metrics or {}).items():
            if sweep.metric in metrics:
                row[f"{task}_{sweep.metric}"] = metrics[sweep.metric]
        row |= {path: _plain(v) for path, v in trial.changes.items()}
        row |= {"seconds": trial.seconds, "error": trial.error}
        rows.append(row)
    return rows


def format_sweep(sweep: Sweep) -> str:
    """Formats the trials as an aligned table, the best first.

    Args:
        sweep: `Sweep`.

    Returns:
        String without a newline at the end.
    """
    lines = [["trial", f"mean {_TITLES[sweep.metric]}"]]
    lines[0] += [*map(_short, sweep.settings.space), "seconds", ""]
    for trial in sweep.ranked:
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        seconds = "" if trial.seconds is None else f"{trial.seconds:.0f}"
        cells = [_cell(value) for value in trial.changes.values()]
        note = (trial.error or "").split("\n")[0]
        lines.append([str(trial.number), score, *cells, seconds, note])
    return aligned_table(lines, left=[-1])


def write_sweep(sweep: Sweep) -> list[pathlib.Path]:
    """Writes `sweep.json`, `sweep.csv` and the best settings, `best.json`.

    `best.json` is a settings file of `keras-infnet train --config`.

    Args:
        sweep: `Sweep`.

    Returns:
        List of the paths.
    """
    rows = sweep_rows(sweep)
    everything = {
        "settings": sweep.settings.to_dict(),
        **made_with(),
        "metric": sweep.metric,
        "best": None if sweep.best is None else sweep.best.number,
        "trials": [dataclasses.asdict(trial) for trial in sweep.ranked],
    }
    texts = {
        "sweep.json": json.dumps(json_safe(everything), indent=2) + "\n",
        "sweep.csv": csv_table(rows),
    }
    if sweep.best_settings is not None:
        best = json.dumps(sweep.best_settings, indent=2) + "\n"
        texts["best.json"] = best
    folder = pathlib.Path(sweep.settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def _short(path: str) -> str:
    return path.split(".", 1)[1]


def _plain(value: Any) -> Any:
    plain = isinstance(value, str | int | float) or value is None
    return value if plain else json.dumps(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
