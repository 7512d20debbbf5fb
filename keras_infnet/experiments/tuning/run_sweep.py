"""Draws, trains, scores and stores the trials of a sweep."""

import dataclasses
import gc
import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_infnet.data import Batches
from keras_infnet.experiments.experiment import (
    DivergedError,
    build_model,
    evaluate_model,
    evaluate_rows,
    mean_score,
    run_experiment,
)
from keras_infnet.experiments.experiment_data import (
    ExperimentData,
    fingerprint,
    load_data,
)
from keras_infnet.experiments.run_store import RunStore
from keras_infnet.experiments.settings import ExperimentSettings
from keras_infnet.experiments.tuning.report import (
    Sweep,
    SweepTrial,
    describe_changes,
    write_sweep,
)
from keras_infnet.experiments.tuning.settings import SweepSettings
from keras_infnet.experiments.tuning.tuner import (
    FailedTrial,
    import_keras_tuner,
    make_tuner,
)
from keras_infnet.utils.atomic_files import alone_in, write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.version import __version__

__all__ = ["sweep"]

_KEPT = "settings.json"
# The paths of tables may change: their rows are compared.
_PATHS = ("schema", "train", "validation", "test")
_MOST_DIFFERENCES = 3


def sweep(
    settings: SweepSettings,
    log: Callable[[str], None] = print,
    verbose: Any = 0,
    callbacks: Sequence[Any] = (),
) -> Sweep:
    """Trains a model with many settings and ranks them.

    KerasTuner draws the values of each trial, which
    `keras_infnet.experiments.run_experiment` then trains with the first seed.
    Trials are scored on the validation rows by the mean AUC of the tasks, or
    by their mean error where none is binary; the test rows are not read. The
    first trial uses the unchanged settings, where these lie in the space.

    Finished trials are kept in the directory of the settings and reused. An
    interrupted sweep continues where it stopped, also within a trial; more
    `trials` extend a finished one. Trials that diverge, or whose arguments the
    model rejects, are recorded as failed. Tables and the best settings are
    written after every trial.

    The validation score of the best of many trials is optimistic: evaluate its
    settings once on the test rows.

    Args:
        settings: `SweepSettings`.
        log: callable taking a string. Receives progress messages. Defaults to
            `print`.
        verbose: `verbose` of `fit`. Defaults to `0`.
        callbacks: further callbacks of `fit`. Defaults to `()`.

    Returns:
        `Sweep`.

    Raises:
        ImportError: If KerasTuner is not installed.
        ValueError: If there are no validation rows to score, the schema does
            not suit the model, or the directory holds another sweep.
        RuntimeError: If every trial failed, or another process runs a sweep in
            the directory.
    """
    import_keras_tuner()
    data = load_data(settings.experiment.data)
    metric = _metric(settings, data)
    # Raises before any work where the schema does not suit the model.
    build_model(settings.experiment, data.encoder.schema)
    rows = fingerprint(data)
    with alone_in(settings.directory, "a sweep"):
        continues = _check_directory(settings, rows)
        options = {"verbose": verbose, "callbacks": callbacks}
        worker = _Worker(settings, data, metric, rows, log, options)
        worker.search(continues)
    found = worker.result
    if found.best is None and found.trials:
        raise RuntimeError(
            f"all {len(found.trials)} trials failed, the first with: "
            f"{found.trials[0].error} They are kept in {settings.directory}; "
            "delete it to start again."
        )
    return found


class _Worker:
    """Runs trials, or reads those that are finished."""

    def __init__(
        self,
        settings: SweepSettings,
        data: ExperimentData,
        metric: str,
        rows: str,
        log: Callable[[str], None],
        options: Mapping[str, Any],
    ) -> None:
        self.settings = settings
        self.data = dataclasses.replace(data, test=None)
        self.metric = metric
        self.rows = rows
        self.log = log
        self.options = options
        self.store = RunStore(settings.directory, log)
        self.seed = settings.experiment.training.seeds[0]
        self.result = Sweep(settings, metric, [])

    def search(self, continues: bool) -> None:
        """Runs the trials that are left."""
        arguments = self.settings, self.settings.directory, self.metric
        try:
            tuner = make_tuner(*arguments, self.trial, not continues)
        except ValueError as error:
            self.log(f"{error}. Rebuilding it from the finished trials.")
            tuner = make_tuner(*arguments, self.trial, True)
        for number, changes, score, reason in tuner.trials:
            kept = self.store.get(self._key(changes))
            self._add(number, changes, score, reason, kept[0] if kept else {})
        if self.result.trials:
            done, best = len(self.result.trials), self.result.best
            words = "" if best is None else f"; {_best_so_far(best)}"
            self.log(f"{done} of {self.settings.trials} trials are done{words}")
        tuner.search()
        if len(self.result.trials) < self.settings.trials:
            self.log("The sweep stops: every value of the space was tried.")
        write_sweep(self.result)

    def trial(self, number: int, changes: dict[str, Any]) -> float:
        """Trains and scores a trial, or reads the result of a finished one."""
        words = describe_changes(changes)
        if changes == self.settings.recipe:
            words = f"the unchanged settings ({words})"
        self.log(f"trial {number}/{self.settings.trials}: {words}")
        key = self._key(changes)
        kept = self.store.get(key)
        record = kept[0] if kept else self._train(key, changes)
        score, reason = record["score"], record["error"]
        trial = self._add(number, changes, score, reason, record)
        best = self.result.best
        if score is None:
            self.log(f"  failed: {reason}")
        elif best is not None:
            end = ", the best so far"
            end = end if best is trial else f"; {_best_so_far(best)}"
            self.log(f"  mean {self.metric.upper()} {score:.4f}{end}")
        write_sweep(self.result)
        if score is None:
            raise FailedTrial(reason)
        return float(score)

    def _train(self, key: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {"changes": dict(changes), "seed": self.seed}
        record |= {"score": None, "error": None, "metrics": None}
        experiment = self.settings.changed(changes)
        started = time.perf_counter()
        try:
            run = run_experiment(
                experiment,
                self.data,
                self.seed,
                directory=self.store.unfinished(key),
                evaluated=False,
                **self.options,
            )
            record["history"] = dict(run.history)
            record["metrics"] = self._evaluate(run.model)
            found = mean_score(record["metrics"])
            if found is None or found[0] != self.metric:
                raise FailedTrial("the predictions have no score.")
            record["score"] = found[1]
        except (OSError, ImportError, AttributeError, NameError):
            raise  # not caused by the values of the trial
        except (DivergedError, FailedTrial) as error:
            record["error"] = str(error)
        except (ValueError, TypeError) as error:
            if _interrupted(error) or self._builds(experiment):
                raise
            record["error"] = f"the model rejects these values: {error}"
        except Exception as error:  # of the backend, such as out of memory
            if _interrupted(error):
                raise
            line = str(error).strip().split("\n")[0]
            record["error"] = f"{type(error).__name__}: {line}"
        record["seconds"] = time.perf_counter() - started
        self.store.put(key, record, {})
        gc.collect()
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
            # The labels were checked before, so the predictions are invalid.
            raise FailedTrial(str(error)) from error

    def _builds(self, experiment: ExperimentSettings) -> bool:
        try:
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
            data=self.rows,
        )

    def _add(
        self,
        number: int,
        changes: Mapping[str, Any],
        score: float | None,
        reason: str | None,
        record: Mapping[str, Any],
    ) -> SweepTrial:
        seconds, metrics = record.get("seconds"), record.get("metrics")
        trial = SweepTrial(number, changes, score, reason, seconds, metrics)
        others = [t for t in self.result.trials if t.number != number]
        self.result = dataclasses.replace(self.result, trials=[*others, trial])
        return trial


def _best_so_far(best: SweepTrial) -> str:
    return f"best so far {best.score:.4f}, trial {best.number}"


def _interrupted(error: BaseException | None) -> bool:
    """Returns whether an error occurred during the cleanup of an interrupt."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _metric(settings: SweepSettings, data: ExperimentData) -> str:
    """Returns the metric that scores trials; raises where there is none."""
    if data.validation is None:
        raise ValueError(
            "a sweep scores its trials on validation rows. "
            "Give [data] validation."
        )
    size = settings.experiment.evaluation.batch_size
    rows = Batches(data.validation, data.encoder, size)
    halves = {
        task: np.full(len(labels), 0.5)
        for task, labels in rows.labels().items()
    }
    found = mean_score(evaluate_rows(rows, halves))
    if found is None:
        raise ValueError(
            "the validation rows cannot score trials: no binary task has "
            "labels of both classes, and no other task has labels. Give "
            "[data] validation more rows, or others."
        )
    return found[0]


def _check_directory(settings: SweepSettings, rows: str) -> bool:
    """Returns whether the directory holds this sweep; raises for another."""
    ours = _signature(settings, rows)
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
    differences = [
        f"{name} was {json.dumps(kept.get(name))} and is "
        f"{json.dumps(wanted.get(name))}"
        for name in {**kept, **wanted}
        if kept.get(name) != wanted.get(name)
    ]
    if not differences:
        return True
    shown = differences[:_MOST_DIFFERENCES]
    if len(differences) > len(shown):
        shown.append(f"and {len(differences) - len(shown)} more")
    raise ValueError(
        f"{settings.directory} holds a sweep with other settings or rows: "
        f"{'; '.join(shown)}. Choose another directory, or delete this one."
    )


def _signature(settings: SweepSettings, rows: str) -> dict[str, Any]:
    """Returns everything that the trials of a sweep have in common."""
    config = settings.to_dict()
    for name in ("directory", "evaluation"):
        config.pop(name)
    config["sweep"].pop("trials")  # more trials continue a sweep
    config["training"]["seeds"] = config["training"]["seeds"][:1]
    for name in _PATHS:
        config["data"].pop(name)
    config["data"]["options"] = {
        name: value
        for name, value in config["data"]["options"].items()
        if name != "path"
    }
    config |= {"rows": rows, "backend": keras.backend.backend()}
    return dict(json_safe({**config, "version": __version__}))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    return {
        name: part
        for key, item in value.items()
        for name, part in _flat(item, f"{path}.{key}" if path else key).items()
    }
