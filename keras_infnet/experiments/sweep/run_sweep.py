"""Many trials of one model, to find settings that suit the rows."""

import dataclasses
import gc
import json
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_infnet.data import Batches
from keras_infnet.evaluation.report import evaluate
from keras_infnet.experiments.experiment import (
    DivergedError,
    build_model,
    evaluate_model,
    mean_score,
    run_experiment,
)
from keras_infnet.experiments.experiment_data import (
    ExperimentData,
    fingerprint,
    load_data,
)
from keras_infnet.experiments.run_store import RunStore
from keras_infnet.experiments.sweep.report import (
    Sweep,
    SweepTrial,
    describe_changes,
    write_sweep,
)
from keras_infnet.experiments.sweep.settings import SweepSettings
from keras_infnet.experiments.sweep.tuner import (
    FailedTrial,
    import_keras_tuner,
    make_tuner,
)
from keras_infnet.utils.atomic_files import alone_in, write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.version import __version__

__all__ = ["sweep"]

_KEPT = "settings.json"
# Rows are compared by themselves; where they lie does not matter.
_PLACES = ("schema", "train", "validation", "test")
_MOST_DIFFERENCES = 3


def sweep(
    settings: SweepSettings,
    say: Callable[[str], None] = print,
    verbose: Any = 0,
) -> Sweep:
    """Trains a model with many settings and ranks them.

    KerasTuner chooses what every trial changes; each is trained as
    `keras_infnet.experiments.run_experiment` trains, with the first seed, and
    scored on the validation rows by the mean AUC of the tasks, or by their
    mean error where none is binary. The test rows are not looked at. The
    first trial has the settings as they are, where these lie in the space.

    Finished trials are kept in the directory of the settings and never done
    twice. A sweep that was interrupted continues where it stopped, within an
    unfinished trial too; one with more `trials` goes on. A trial that
    diverges, or whose arguments the model refuses, is recorded as failed. The
    tables and the best settings are written after every trial.

    The best of many trials looks better on the validation rows than it is:
    what it is worth, the test rows tell, once.

    Args:
        settings: `SweepSettings`.
        say: function of a string. Told of the progress. Defaults to `print`.
        verbose: `verbose` of `fit`. Defaults to `0`.

    Returns:
        `Sweep`.

    Raises:
        ImportError: If KerasTuner is not installed.
        ValueError: If there are no validation rows to score by, the schema
            does not suit the model, or the directory holds another sweep.
        RuntimeError: If every trial failed, or another sweep is under way in
            the directory.
    """
    import_keras_tuner()
    data = load_data(settings.experiment.data)
    metric = _metric(settings, data)
    # Before any work: a schema may not suit a model.
    build_model(settings.experiment, data.encoder.schema)
    found = fingerprint(data)
    with alone_in(settings.directory, "a sweep"):
        known = _check_directory(settings, found)
        worker = _Worker(settings, data, metric, found, say, verbose)
        worker.search(known)
    if worker.result.best is None and worker.result.trials:
        raise RuntimeError(
            f"all {len(worker.result.trials)} trials failed, the first with: "
            f"{worker.result.trials[0].error} They are kept in "
            f"{settings.directory}; delete it to start anew."
        )
    return worker.result


class _Worker:
    """Does trials, unless they are there already."""

    def __init__(
        self,
        settings: SweepSettings,
        data: ExperimentData,
        metric: str,
        found: str,
        say: Callable[[str], None],
        verbose: Any,
    ) -> None:
        self.settings = settings
        # The test rows are nobody's business here.
        self.data = dataclasses.replace(data, test=None)
        self.metric = metric
        self.fingerprint = found
        self.say = say
        self.verbose = verbose
        self.store = RunStore(settings.directory, say)
        self.seed = settings.experiment.training.seeds[0]
        self.result = Sweep(settings, metric, [])

    def search(self, known: bool) -> None:
        """Does what is left to do."""
        folder = self.settings.directory
        try:
            tuner = make_tuner(
                self.settings, folder, self.metric, self.trial, not known
            )
        except ValueError as error:
            self.say(f"{error}. It is made anew from the finished trials.")
            tuner = make_tuner(
                self.settings, folder, self.metric, self.trial, True
            )
        for number, changes, score, reason in tuner.trials:
            record = self.store.get(self._key(changes))
            kept = {} if record is None else record[0]
            self._add(number, changes, score, reason, kept)
        if self.result.trials:
            done, best = len(self.result.trials), self.result.best
            words = "" if best is None else f"; {self._best_so_far(best)}"
            self.say(f"{done} of {self.settings.trials} trials are done{words}")
        tuner.search()
        if len(self.result.trials) < self.settings.trials:
            self.say("The tuner finds nothing in the space that is new.")
        write_sweep(self.result)

    def trial(self, number: int, changes: dict[str, Any]) -> float:
        """Trains and scores one trial, or takes what is kept of it."""
        key = self._key(changes)
        kept = self.store.get(key)
        words = describe_changes(changes)
        if changes == self.settings.recipe:
            words = f"the settings as they are ({words})"
        self.say(f"trial {number}/{self.settings.trials}: {words}")
        if kept is None:
            record = self._train(key, changes)
            self.store.put(key, record, {})
            gc.collect()
        else:
            record = kept[0]
        score, reason = record["score"], record["error"]
        self._add(number, changes, score, reason, record)
        self._tell(self.result.trials[-1])
        write_sweep(self.result)
        if score is None:
            raise FailedTrial(reason)
        return float(score)

    def _train(self, key: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {"changes": dict(changes), "seed": self.seed}
        record |= {"score": None, "error": None, "metrics": None}
        started = time.perf_counter()
        try:
            experiment = self.settings.changed(changes)
            run = run_experiment(
                experiment,
                self.data,
                self.seed,
                directory=self.store.unfinished(key),
                verbose=self.verbose,
                evaluated=False,
            )
            record["history"] = dict(run.history)
            record["metrics"] = self._evaluate(run.model)
            record["score"] = _score(record["metrics"], self.metric)
        except (OSError, ImportError, AttributeError, NameError):
            raise  # not the fault of the trial
        except (DivergedError, FailedTrial) as error:
            record["error"] = str(error)
        except (ValueError, TypeError) as error:
            if _interrupted(error) or self._builds(changes):
                raise
            record["error"] = f"the model refuses this: {error}"
        except Exception as error:  # a backend's own, out of memory say
            if _interrupted(error):
                raise
            line = str(error).strip().split("\n")[0]
            record["error"] = f"{type(error).__name__}: {line}"
        record["seconds"] = time.perf_counter() - started
        return record

    def _evaluate(self, model: Any) -> Any:
        try:
            return evaluate_model(
                model,
                self.data.encoder,
                self.data.validation,
                self.settings.experiment.evaluation.batch_size,
            )
        except ValueError as error:
            # The labels were fine before: it is the predictions.
            raise FailedTrial(str(error)) from error

    def _builds(self, changes: Mapping[str, Any]) -> bool:
        try:
            experiment = self.settings.changed(changes)
            build_model(experiment, self.data.encoder.schema)
        except (ValueError, TypeError):
            return False
        return True

    def _key(self, changes: Mapping[str, Any]) -> str:
        experiment = self.settings.changed(changes)
        recipe = dataclasses.asdict(experiment.training)
        return self.store.key(
            sweep=True,
            model=experiment.spelled_out_model,
            training={k: v for k, v in recipe.items() if k != "seeds"},
            seed=self.seed,
            data=self.fingerprint,
        )

    def _add(
        self,
        number: int,
        changes: Mapping[str, Any],
        score: float | None,
        reason: str | None,
        record: Mapping[str, Any],
    ) -> None:
        seconds, metrics = record.get("seconds"), record.get("metrics")
        trial = SweepTrial(number, changes, score, reason, seconds, metrics)
        others = [t for t in self.result.trials if t.number != number]
        self.result = dataclasses.replace(self.result, trials=[*others, trial])

    def _tell(self, trial: SweepTrial) -> None:
        best = self.result.best
        if trial.score is None:
            self.say(f"  failed: {trial.error}")
        elif best is trial:
            self.say(f"  {self._score_words(trial)}, the best so far")
        elif best is not None:
            self.say(f"  {self._score_words(trial)}; {self._best_so_far(best)}")

    def _score_words(self, trial: SweepTrial) -> str:
        return f"mean {self.metric.upper()} {trial.score:.4f}"

    def _best_so_far(self, best: SweepTrial) -> str:
        return f"best so far {best.score:.4f}, trial {best.number}"


def _interrupted(error: BaseException | None) -> bool:
    """Tells whether cleaning up failed behind an interrupt."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _metric(settings: SweepSettings, data: ExperimentData) -> str:
    """What trials are scored by; raises where there is nothing."""
    if data.validation is None:
        raise ValueError(
            "a sweep scores its trials on the validation rows, and there are "
            "none. Give [data] validation."
        )
    size = settings.experiment.evaluation.batch_size
    rows = Batches(data.validation, data.encoder, size)
    halves = {
        task: np.full(len(labels), 0.5)
        for task, labels in rows.labels().items()
    }
    schema = data.encoder.schema
    found = mean_score(evaluate(rows.labels(), halves, rows.weights(), schema))
    if found is None:
        raise ValueError(
            "the validation rows score nothing: no binary task has labels of "
            "both kinds, and no other task has labels. Give [data] validation "
            "more rows, or others."
        )
    return found[0]


def _score(metrics: Any, metric: str) -> float:
    found = mean_score(metrics)
    if found is None or found[0] != metric:
        raise FailedTrial("the predictions have no score.")
    return found[1]


def _check_directory(settings: SweepSettings, found: str) -> bool:
    """Raises where another sweep is kept; tells whether this one is."""
    ours = _signature(settings, found)
    path = pathlib.Path(settings.directory) / _KEPT
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(ours, indent=2) + "\n")
        return False
    try:
        kept = _flat(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    wanted = _flat(ours)
    names = [n for n in {**kept, **wanted} if kept.get(n) != wanted.get(n)]
    if not names:
        return True
    shown = [
        f"{name} was {json.dumps(kept.get(name))} and is "
        f"{json.dumps(wanted.get(name))}"
        for name in names[:_MOST_DIFFERENCES]
    ]
    more = len(names) - len(shown)
    raise ValueError(
        f"{settings.directory} holds a sweep with other settings or rows: "
        + "; ".join(shown)
        + (f"; and {more} more" if more else "")
        + ". Choose another directory, or delete this one."
    )


def _signature(settings: SweepSettings, found: str) -> dict[str, Any]:
    """Everything that the trials of a sweep have in common."""
    config = settings.to_dict()
    for name in ("directory", "evaluation"):
        config.pop(name)
    # More of them continue a sweep.
    config["sweep"].pop("trials")
    config["training"]["seeds"] = config["training"]["seeds"][:1]
    config["data"] = {
        k: v for k, v in config["data"].items() if k not in _PLACES
    }
    options = dict(config["data"]["options"])
    options.pop("path", None)
    config["data"]["options"] = options
    config |= {"rows": found, "backend": keras.backend.backend()}
    return dict(json_safe({**config, "version": __version__}))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    return {
        name: part
        for key, item in value.items()
        for name, part in _flat(item, f"{path}.{key}" if path else key).items()
    }
