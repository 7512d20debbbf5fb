"""KerasTuner, which draws the values of each trial."""

import contextlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_infnet.experiments.tuning.search_space import Range, as_text
from keras_infnet.experiments.tuning.settings import SweepSettings
from keras_infnet.utils.installation import install_command

__all__ = ["FailedTrial", "import_keras_tuner", "make_tuner"]

_DIGITS = 3


class FailedTrial(Exception):
    """Raised by trials without a score; the message is the reason."""


def import_keras_tuner() -> Any:
    """Imports KerasTuner, or raises with the command that installs it."""
    try:
        import keras_tuner
    except ImportError as error:
        raise ImportError(
            "a sweep needs KerasTuner. Install it with "
            f"`{install_command('sweep')}`."
        ) from error
    return keras_tuner


def make_tuner(
    settings: SweepSettings,
    directory: str | os.PathLike[str],
    metric: str,
    run: Callable[[int, dict[str, Any]], float],
    overwrite: bool = False,
) -> Any:
    """Makes a tuner that continues from its state in a directory.

    `run` takes the number of a trial, from 1, and its values by path, and
    returns the score or raises `FailedTrial`. `tuner.search()` runs the
    remaining trials; `tuner.trials` lists the finished ones as number, values,
    score and reason of a failure. Raises `ValueError` for a damaged state.
    """
    keras_tuner = import_keras_tuner()
    oracle = _make_oracle(keras_tuner, settings, metric)

    class SweepTuner(keras_tuner.Tuner):  # type: ignore[name-defined]
        """Scores trials with `run` and prints nothing."""

        def search(self) -> None:
            self.save()  # so that an interrupted first trial is found
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
            return run(*_numbered(trial))

        @property
        def trials(self) -> list[tuple[int, dict[str, Any], Any, Any]]:
            done = [
                (*_numbered(trial), trial.score, trial.message)
                for trial in self.oracle.trials.values()
                if trial.status in ("COMPLETED", "FAILED")
            ]
            return sorted(done, key=lambda trial: trial[0])

    def _numbered(trial: Any) -> tuple[int, dict[str, Any]]:
        drawn = trial.hyperparameters.values
        values = {p: _read(r, drawn[p]) for p, r in settings.space.items()}
        return int(trial.trial_id) + 1, values

    try:
        # KerasTuner prints that it reads its state; the sweep logs that.
        with _quiet(), contextlib.redirect_stdout(io.StringIO()):
            return SweepTuner(
                oracle=oracle,
                directory=os.fspath(directory),
                project_name="tuner",
                overwrite=overwrite,
            )
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        message = f"the state of the tuner is damaged: {error}"
        raise ValueError(message) from error


def _make_oracle(keras_tuner: Any, settings: SweepSettings, metric: str) -> Any:
    """Makes the part of the tuner that draws values."""
    base = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    }[settings.tuner]
    recipe = settings.recipe
    inside = all(r.holds(recipe[path]) for path, r in settings.space.items())

    class SweepOracle(base):  # type: ignore[misc, valid-type]
        """Starts with the unchanged settings and continues exactly."""

        trials: dict[str, Any]
        start_order: list[str]

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            if not self.trials and inside:
                values = {
                    path: _written(found, recipe[path])
                    for path, found in settings.space.items()
                }
                return {"status": "RUNNING", "values": values}
            # The saved state lacks the generator: a continued sweep would
            # repeat its first draws.
            self._random_state = np.random.RandomState(
                self.seed + len(self.trials)
            )
            return dict(super().populate_space(trial_id))

        def reload(self) -> None:
            super().reload()
            # Files are listed in any order, and a trial that was killed before
            # it started may have one; it is drawn again.
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
        # KerasTuner ignores a seed of 0, and adjacent seeds share draws.
        seed=1 + settings.seed * 10_007 % (2**31 - 2),
        max_consecutive_failed_trials=math.inf,
    )
    oracle.verbose = 0
    return oracle


def _hyperparameters(keras_tuner: Any, space: Mapping[str, Range]) -> Any:
    found = keras_tuner.HyperParameters()
    for path, part in space.items():
        if part.values is not None:
            # As JSON: KerasTuner reads true as 1 and rejects lists.
            found.Choice(path, part.texts)
        elif part.whole:
            found.Int(path, part.low, part.high, sampling=part.scale)
        else:
            found.Float(path, part.low, part.high, sampling=part.scale)
    return found


def _written(found: Range, value: Any) -> Any:
    """Returns a value as the tuner stores it."""
    if found.values is not None:
        return as_text(value)
    return value if found.whole else float(value)


def _read(found: Range, value: Any) -> Any:
    """Returns a value that the tuner stored, floats rounded."""
    if found.values is not None:
        return found.values[found.texts.index(value)]
    rounded = value if found.whole else float(f"{value:.{_DIGITS}g}")
    return rounded if found.holds(rounded) else value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings that users of a sweep cannot act on."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module="keras_tuner"
        )
        # Gaussian processes fitted to a few points do not converge.
        warnings.filterwarnings("ignore", module="sklearn")
        yield
