"""Searches, trains, evaluates and stores the runs of a comparison."""

import dataclasses
import gc
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data import Batches
from keras_infnet.experiments.comparison.costs import (
    count_costs,
    measure_speeds,
    served_model,
)
from keras_infnet.experiments.comparison.settings import ComparisonSettings
from keras_infnet.experiments.experiment import (
    DivergedError,
    Run,
    build_model,
    check_stage,
    evaluate_rows,
    mean_score,
    predict_baseline,
    run_experiment,
)
from keras_infnet.experiments.experiment_data import (
    ExperimentData,
    fingerprint,
    load_data,
)
from keras_infnet.experiments.run_store import RunStore
from keras_infnet.experiments.settings import ExperimentSettings
from keras_infnet.training import predict_rows
from keras_infnet.utils.atomic_files import alone_in

__all__ = ["Compared", "Comparison", "compare"]


@dataclasses.dataclass(frozen=True)
class Compared:
    """Results of one model.

    Args:
        label: string.
        runs: list of dicts, one per seed: `seed`, `metrics` by task (`None`
            where training diverged), `error`, `seconds` and `rows` of
            training, `history`, `curve` (see
            `keras_infnet.training.LearningCurve`).
        predictions: list of dicts of arrays by task, one per run that did not
            diverge.
        trials: list of dicts, one per trial of the search: its values and its
            `score`. Defaults to `[]`.
        chosen: dict. Values of the best trial. Defaults to `{}`.
        parameters: dict. Number of weights in `embedding` tables and in
            `dense` layers; empty for baselines. Defaults to `{}`.
        examples_a_second: float. Rows per second of training, for AutoIFS of
            its second stage; `None` for baselines. Defaults to `None`.
        microseconds: float. Time to predict a row, `None` for baselines.
            Defaults to `None`.
        multiply_adds: integer. Multiply-adds of matrix products to predict a
            row, `None` for baselines and where they cannot be counted.
            Defaults to `None`.
    """

    label: str
    runs: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    trials: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    chosen: Mapping[str, float] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, int] = dataclasses.field(default_factory=dict)
    examples_a_second: float | None = None
    microseconds: float | None = None
    multiply_adds: int | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Results of all models, and the rows on which they were evaluated.

    Args:
        settings: `ComparisonSettings`.
        models: list of `Compared`.
        labels: dict of arrays by task.
        weights: dict of arrays by task.
        groups: array or `None`.
        best: dict of the best reachable AUC by task, or `None`.
    """

    settings: ComparisonSettings
    models: list[Compared]
    labels: Mapping[str, Any]
    weights: Mapping[str, Any]
    groups: Any
    best: Mapping[str, float] | None

    @property
    def reference(self) -> str:
        """Label of the model that the others are tested against."""
        return self.settings.reference or self.settings.labels[0]


def compare(
    settings: ComparisonSettings,
    log: Callable[[str], None] = print,
    verbose: Any = 0,
    callbacks: Sequence[Any] = (),
) -> Comparison:
    """Trains and evaluates models on the same rows with the same recipe.

    Every model gets the same number of search trials with the first seed,
    scored on the validation rows only. Its best recipe is then trained with
    the other seeds too, and these runs are compared on the test rows. Finished
    runs are kept in the directory of the settings, under a hash of model,
    recipe, seed and data, and reused; an interrupted run continues. Runs that
    diverge are recorded as such and do not stop the others.

    Args:
        settings: `ComparisonSettings`.
        log: callable taking a string. Receives progress messages. Defaults to
            `print`.
        verbose: `verbose` of `fit`. Defaults to `0`.
        callbacks: further callbacks of `fit`. Defaults to `()`.

    Returns:
        `Comparison`.

    Raises:
        ValueError: If there are no rows to evaluate, a search has no
            validation rows, or the schema does not suit a model.
        RuntimeError: If another process runs a comparison in the directory.
    """
    data = load_data(settings.data)
    _check_data(settings, data)
    schema = data.encoder.schema
    # Raises before any work where the schema does not suit a model.
    for label in settings.labels:
        check_stage(build_model(settings.experiment(label, {}), schema))
    costs = {
        label: count_costs(label, served_model(settings, label, schema))
        for label in settings.labels
    }
    with alone_in(settings.directory, "a comparison"):
        options = {"verbose": verbose, "callbacks": callbacks}
        worker = _Worker(settings, data, log, options)
        models = [worker.model(label) for label in settings.labels]
        baselines = [*map(worker.baseline, settings.evaluation.baselines)]
    log("Measuring the speed of training and prediction.")
    speeds = measure_speeds(settings, data)
    models = [
        dataclasses.replace(
            model,
            examples_a_second=1 / speeds[model.label].train,
            microseconds=1e6 * speeds[model.label].predict,
            **costs[model.label],
        )
        for model in models
    ]
    rows = worker.rows(data.evaluated)
    best = data.best
    if best is not None:  # tasks with one class have no AUC
        best = {t: value for t, value in best.items() if np.isfinite(value)}
    return Comparison(
        settings,
        [*models, *baselines],
        rows.labels(),
        rows.weights(),
        None if schema.group is None else rows.group(),
        best,
    )


class _Worker:
    """Trains models, or reads the results of finished runs."""

    def __init__(
        self,
        settings: ComparisonSettings,
        data: ExperimentData,
        log: Callable[[str], None],
        options: Mapping[str, Any],
    ) -> None:
        self.settings = settings
        self.data = data
        self.log = log
        self.options = options
        self.store = RunStore(settings.directory, log)
        self.fingerprint = fingerprint(data)
        self.epoch_rows = Batches(data.train, data.encoder, 1).num_rows
        self.searches = settings.search.trials > 1
        # The run of the first seed is the best trial.
        runs = settings.search.trials + len(settings.training.seeds) - 1
        self.total = len(settings.models) * runs
        self.total += len(settings.evaluation.baselines)
        self._started: set[str] = set()

    def model(self, label: str) -> Compared:
        """Searches the recipe of a model, then trains it with every seed."""
        seeds = self.settings.training.seeds
        trials: list[dict[str, Any]] = []
        chosen: dict[str, float] = {}
        if self.searches:
            draws = self.settings.search.draw()
            for changes in draws:
                record, _ = self._run(label, changes, seeds[0])
                trials.append({**changes, "score": record["score"]})
            # Trials that diverged have no score.
            scores = [
                -np.inf if trial["score"] is None else trial["score"]
                for trial in trials
            ]
            chosen = draws[int(np.argmax(scores))]
        results = [self._run(label, chosen, seed) for seed in seeds]
        records = [record for record, _ in results]
        predictions = [predicted for _, predicted in results if predicted]
        return Compared(label, records, predictions, trials, chosen)

    def baseline(self, name: str) -> Compared:
        """Fits a baseline of `keras_infnet.evaluation`."""
        key = self.store.key(baseline=name, data=self.fingerprint)
        kept = self._start(key, name)
        if kept is None:
            predictions = {
                task: np.reshape(values, (-1,)).astype(np.float32)
                for task, values in predict_baseline(name, self.data).items()
            }
            record: dict[str, Any] = {"label": name, "seed": 0, "error": None}
            rows = self.rows(self.data.evaluated)
            record["metrics"] = evaluate_rows(rows, predictions)
            self.store.put(key, record, predictions)
            kept = record, predictions
        return Compared(name, [kept[0]], [kept[1]])

    def rows(self, source: Any) -> Batches:
        """Returns validation or test rows, encoded."""
        size = self.settings.evaluation.batch_size
        return Batches(source, self.data.encoder, size)

    def _start(self, key: str, what: str) -> Any:
        """Returns a finished run, or logs that it starts."""
        self._started.add(key)
        kept = self.store.get(key)
        if kept is None:
            self.log(f"[{len(self._started)}/{self.total}] {what}")
        return kept

    def _run(
        self, label: str, changes: Mapping[str, float], seed: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        experiment = self.settings.experiment(label, changes)
        key = self.store.key(
            model=experiment.spelled_out_model,
            training=_recipe(experiment),
            seed=seed,
            search=self.searches,
            data=self.fingerprint,
        )
        values = ", ".join(f"{k} {v:g}" for k, v in changes.items())
        kept = self._start(
            key, f"{label}, seed {seed}, {values or 'the unchanged recipe'}"
        )
        if kept is not None:
            return kept
        record: dict[str, Any] = {"label": label, "seed": seed, "error": None}
        record |= {"score": None, "metrics": None}
        predictions: dict[str, Any] = {}
        try:
            predictions = self._train(experiment, key, record)
        except DivergedError as error:
            self.log(f"  {error}")
            record |= {"error": str(error), "score": None}
        self.store.put(key, record, predictions)
        gc.collect()
        return record, predictions

    def _train(
        self, experiment: ExperimentSettings, key: str, record: dict[str, Any]
    ) -> dict[str, Any]:
        """Adds what was measured to the record, and returns predictions."""
        folder = self.store.unfinished(key)
        resumed = folder.exists()
        run = run_experiment(
            experiment,
            self.data,
            record["seed"],
            directory=folder,
            evaluated=False,
            **self.options,
        )
        record |= {
            # The time before an interruption is unknown.
            "seconds": None if resumed else run.seconds,
            "rows": run.rows,
            "epoch_rows": self.epoch_rows,
            "history": _history(run, folder),
            "curve": dict(run.curve),
        }
        if self.searches:
            rows = self.rows(self.data.validation)
            score = mean_score(evaluate_rows(rows, _predict(run.model, rows)))
            if score is not None:  # a mean error counts negatively
                sign = 1 if score[0] == "auc" else -1
                record["score"] = sign * score[1]
        rows = self.rows(self.data.evaluated)
        predictions = _predict(run.model, rows)
        record["metrics"] = evaluate_rows(rows, predictions)
        return predictions


def _recipe(experiment: ExperimentSettings) -> dict[str, Any]:
    """Returns the training settings that affect a run."""
    recipe = dataclasses.asdict(experiment.training)
    unused = ["seeds", "save_every", "tensorboard"]
    if experiment.model.get("name") != "AutoIFS":
        unused.append("flow_search")
    return {name: v for name, v in recipe.items() if name not in unused}


def _predict(model: Any, rows: Batches) -> dict[str, Any]:
    predictions = {
        task: values[:, 0].astype(np.float32)
        for task, values in predict_rows(model, rows).items()
    }
    for task, values in predictions.items():
        if not np.isfinite(values).all():
            raise DivergedError(f"predictions of {task!r} are not finite")
    return predictions


def _history(run: Run, folder: pathlib.Path) -> dict[str, Any]:
    """Reads the log of all epochs; a resumed run has only its last ones."""
    path = folder / "history.csv"
    if not path.exists():
        return dict(run.history)
    table = pd.read_csv(path).drop(columns="epoch")
    return {str(name): table[name].tolist() for name in table}


def _check_data(settings: ComparisonSettings, data: ExperimentData) -> None:
    if data.evaluated is None:
        raise ValueError(
            "a comparison needs test or validation rows. "
            "Give [data] `test` or `validation`."
        )
    if settings.search.trials > 1 and data.validation is None:
        raise ValueError(
            "[search] scores trials on validation rows. "
            "Give [data] `validation`, or set `trials = 1`."
        )
