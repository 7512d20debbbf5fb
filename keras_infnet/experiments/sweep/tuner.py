"""KerasTuner, which chooses what the trials of a sweep change."""

import contextlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_infnet.experiments.sweep.search_space import Range
from keras_infnet.experiments.sweep.settings import SweepSettings

__all__ = ["FailedTrial", "import_keras_tuner", "make_tuner"]

_DIGITS = 3


class FailedTrial(Exception):
    """A trial that has no score; its text is the reason."""


def import_keras_tuner() -> Any:
    """Imports KerasTuner, or raises with the command that installs it."""
    try:
        import keras_tuner
    except ImportError as error:
        raise ImportError(
            "a sweep needs KerasTuner. Install it with "
            '`python -m pip install "keras-infnet[sweep]"`.'
        ) from error
    return keras_tuner


def make_tuner(
    settings: SweepSettings,
    directory: str | os.PathLike[str],
    metric: str,
    run: Callable[[int, dict[str, Any]], float],
    overwrite: bool = False,
) -> Any:
    """Makes a tuner that goes on from its state in a directory.

    `run` gets the number of a trial, from 1, and its changes by path, and
    returns the score or raises `FailedTrial`. `search` of the tuner does the
    remaining trials; `trials` are those done: number, changes, score, reason
    of a failure. `ValueError` if the state cannot be read.
    """
    keras_tuner = import_keras_tuner()
    oracle = _make_oracle(keras_tuner, settings, metric)

    class SweepTuner(keras_tuner.Tuner):  # type: ignore[name-defined]
        """Trains by `run`, and says nothing by itself."""

        def search(self) -> None:
            # An interrupted first trial is to be found, too.
            self.save()
            while True:
                with _quiet():
                    trial = self.oracle.create_trial(self.tuner_id)
                if trial.status == "STOPPED":
                    return
                try:
                    score = self.run_trial(trial)
                except FailedTrial as reason:
                    trial.status, trial.message = "FAILED", str(reason)
                else:
                    with _quiet():
                        self.oracle.update_trial(
                            trial.trial_id, {metric: score}
                        )
                    trial.status = "COMPLETED"
                with _quiet():
                    self.on_trial_end(trial)

        def run_trial(self, trial: Any) -> float:
            return run(_number(trial), _changes(settings.space, trial))

        @property
        def trials(self) -> list[tuple[int, dict[str, Any], Any, Any]]:
            done = [
                trial
                for trial in self.oracle.trials.values()
                if trial.status in ("COMPLETED", "FAILED")
            ]
            return [
                (
                    _number(trial),
                    _changes(settings.space, trial),
                    trial.score,
                    trial.message,
                )
                for trial in sorted(done, key=_number)
            ]

    try:
        # It says that it reads its state, which the sweep says better.
        with _quiet(), contextlib.redirect_stdout(io.StringIO()):
            return SweepTuner(
                oracle=oracle,
                directory=os.fspath(directory),
                project_name="tuner",
                overwrite=overwrite,
            )
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"the state of the tuner is damaged: {error}") from (
            error
        )


def _make_oracle(keras_tuner: Any, settings: SweepSettings, metric: str) -> Any:
    """Makes the part of the tuner that chooses."""
    base = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    }[settings.tuner]
    recipe = settings.recipe
    inside = all(r.holds(recipe[path]) for path, r in settings.space.items())

    class SweepOracle(base):  # type: ignore[misc, valid-type]
        """Tries the settings as they are first, and continues exactly."""

        trials: dict[str, Any]
        start_order: list[str]

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            if not self.trials and inside:
                values = {
                    path: _written(found, recipe[path])
                    for path, found in settings.space.items()
                }
                return {"status": "RUNNING", "values": values}
            # Not part of the state that is saved: a continued sweep would
            # draw what it drew before.
            self._random_state = np.random.RandomState(
                self.seed + len(self.trials)
            )
            return dict(super().populate_space(trial_id))

        def reload(self) -> None:
            super().reload()
            # Files are found in any order, and one may be of a trial that
            # was killed before it was told to start; it is drawn again.
            self.trials = {
                name: self.trials[name]
                for name in sorted(self.trials, key=int)
                if name in self.start_order
            }

    oracle = SweepOracle(
        objective=keras_tuner.Objective(
            metric, "max" if metric == "auc" else "min"
        ),
        max_trials=settings.trials,
        hyperparameters=_hyperparameters(keras_tuner, settings.space),
        # 0 would be no seed, and neighbouring seeds share draws.
        seed=1 + settings.seed * 10_007 % (2**31 - 2),
        # Failures are part of a sweep.
        max_consecutive_failed_trials=math.inf,
    )
    oracle.verbose = 0
    return oracle


def _hyperparameters(keras_tuner: Any, space: Mapping[str, Range]) -> Any:
    found = keras_tuner.HyperParameters()
    for path, part in space.items():
        if part.values is not None:
            # Texts: of true it would make 1, and lists it does not take.
            found.Choice(path, part.texts)
        elif part.whole:
            found.Int(path, part.low, part.high, sampling=part.scale)
        else:
            found.Float(path, part.low, part.high, sampling=part.scale)
    return found


def _written(found: Range, value: Any) -> Any:
    """A value as the tuner has it."""
    if found.values is not None:
        return _text_of(found, value)
    return value if found.whole else float(value)


def _text_of(found: Range, value: Any) -> str:
    return Range(values=[value]).texts[0]


def _number(trial: Any) -> int:
    return int(trial.trial_id) + 1


def _changes(space: Mapping[str, Range], trial: Any) -> dict[str, Any]:
    """What a trial changes, in numbers that people can read."""
    values = trial.hyperparameters.values
    changes = {}
    for path, found in space.items():
        value = values[path]
        if found.values is not None:
            value = found.values[found.texts.index(value)]
        elif not found.whole:
            rounded = float(f"{value:.{_DIGITS}g}")
            value = rounded if found.holds(rounded) else value
        changes[path] = value
    return changes


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what is of no use to anybody who sweeps."""
    with warnings.catch_warnings():
        # It uses names that Python would like to lose.
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module="keras_tuner"
        )
        # Gaussian processes of a few points.
        warnings.filterwarnings("ignore", module="sklearn")
        yield
