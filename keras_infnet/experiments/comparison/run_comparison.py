"""Models by models on the same rows, with the same recipe and budget."""

import dataclasses
import gc
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data import Batches
from keras_infnet.evaluation.report import evaluate
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
    """What one model reached.

    Args:
        label: string.
        runs: list of records, one a seed: `seed`, `metrics` by task (`None`
            where training diverged), `error`, `seconds` and `rows` of
            training, `history`, `curve` (see
            `keras_infnet.training.LearningCurve`).
        predictions: list of dicts of arrays by task, of the runs that did not
            diverge.
        trials: list of dicts: what a trial changed, and its `score`.
            Defaults to `[]`.
        chosen: dict. What the best trial changed in the recipe. Defaults to
            `{}`.
        parameters: dict of the number of numbers in `embedding` tables and in
            `dense` weights; empty for baselines. Defaults to `{}`.
        examples_a_second: float. Rows that steps of training take, of
            AutoIFS those of its second stage; `None` for baselines. Defaults
            to `None`.
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
    """Models, and the rows that all were evaluated on.

    Args:
        settings: `ComparisonSettings`.
        models: list of `Compared`.
        labels: dict of arrays by task.
        weights: dict of arrays by task.
        groups: array or `None`.
        best: best reachable AUC by task, or `None`.
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
    say: Callable[[str], None] = print,
    verbose: Any = 0,
) -> Comparison:
    """Trains and evaluates models on one pipeline with one recipe.

    Every model gets the same number of search trials with the first seed,
    scored on the validation rows alone; its best recipe is then trained with
    the other seeds too, and these runs are compared on the test rows.
    Finished runs are kept in the directory of the settings by a hash of
    model, recipe, seed and data, and never done twice; a run that was
    interrupted continues. A run that diverges is recorded as such and does
    not stop the others.

    Args:
        settings: `ComparisonSettings`.
        say: function of a string. Told of the progress. Defaults to `print`.
        verbose: `verbose` of `fit`. Defaults to `0`.

    Returns:
        `Comparison`.

    Raises:
        ValueError: If there are no rows to evaluate, a search has no
            validation rows, or the schema does not suit a model.
        RuntimeError: If another comparison is under way in the directory.
    """
    data = load_data(settings.data)
    _check_data(settings, data)
    schema = data.encoder.schema
    # Before any work: a schema may not suit a model.
    for label in settings.labels:
        check_stage(build_model(settings.experiment(label, {}), schema))
    costs = {
        label: count_costs(label, served_model(settings, label, schema))
        for label in settings.labels
    }
    with alone_in(settings.directory, "a comparison"):
        worker = _Worker(settings, data, say, verbose)
        found = {label: worker.model(label) for label in settings.labels}
        baselines = [*map(worker.baseline, settings.evaluation.baselines)]
    say("Measuring the speed of training and prediction.")
    speeds = measure_speeds(settings, data)
    rows = Batches(data.evaluated, data.encoder, settings.evaluation.batch_size)
    best = data.best
    if best is not None:  # rows of one class have no AUC
        best = {t: value for t, value in best.items() if np.isfinite(value)}
    return Comparison(
        settings,
        [
            *(
                dataclasses.replace(
                    found[label],
                    examples_a_second=1 / speeds[label].train,
                    microseconds=1e6 * speeds[label].predict,
                    **costs[label],
                )
                for label in settings.labels
            ),
            *baselines,
        ],
        rows.labels(),
        rows.weights(),
        None if schema.group is None else rows.group(),
        best,
    )


class _Worker:
    """Does runs, unless they are there already."""

    def __init__(
        self,
        settings: ComparisonSettings,
        data: ExperimentData,
        say: Callable[[str], None],
        verbose: Any,
    ) -> None:
        self.settings = settings
        self.data = data
        self.say = say
        self.verbose = verbose
        self.store = RunStore(settings.directory, say)
        self.fingerprint = fingerprint(data)
        self.rows_an_epoch = Batches(data.train, data.encoder, 1).num_rows
        self.searches = settings.search.trials > 1
        # The best trial is the first seed's run.
        runs = settings.search.trials + len(settings.training.seeds) - 1
        self.total = len(settings.models) * runs
        self.total += len(settings.evaluation.baselines)
        self.done = 0
        self._counted: set[str] = set()

    def model(self, label: str) -> Compared:
        """Searches the recipe of a model, then trains it once a seed."""
        seeds = self.settings.training.seeds
        trials: list[dict[str, Any]] = []
        chosen: dict[str, float] = {}
        if self.searches:
            draws = self.settings.search.draw()
            for changes in draws:
                record, _ = self._run(label, changes, seeds[0])
                trials.append({**changes, "score": record["score"]})
            scores = [_number(trial["score"]) for trial in trials]
            chosen = draws[int(np.argmax(scores))]
        results = [self._run(label, chosen, seed) for seed in seeds]
        return Compared(
            label,
            [record for record, _ in results],
            [predicted for _, predicted in results if predicted],
            trials,
            chosen,
        )

    def _run(
        self, label: str, changes: Mapping[str, float], seed: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        experiment = self.settings.experiment(label, changes)
        recipe = dataclasses.asdict(experiment.training)
        key = self.store.key(
            model=experiment.spelled_out_model,
            training=_training(experiment, recipe),
            seed=seed,
            search=self.searches,
            data=self.fingerprint,
        )
        kept = self._kept(key)
        if kept is not None:
            return kept
        words = ", ".join(f"{k} {v:g}" for k, v in changes.items())
        self.say(
            f"[{self.done}/{self.total}] {label}, seed {seed}, "
            f"{words or 'the recipe as it is'}"
        )
        record: dict[str, Any] = {"label": label, "seed": seed, "error": None}
        record |= {"score": None, "metrics": None}
        predictions: dict[str, Any] = {}
        folder = self.store.unfinished(key)
        resumed = folder.exists()
        try:
            run = run_experiment(
                experiment,
                self.data,
                seed,
                directory=folder,
                verbose=self.verbose,
                evaluated=False,
            )
            record |= {
                # Those of an interrupted part are not known.
                "seconds": None if resumed else run.seconds,
                "rows": run.rows,
                "epoch_rows": self.rows_an_epoch,
                "history": _history(run, folder),
                "curve": dict(run.curve),
            }
            if self.searches:
                rows = self._rows(self.data.validation)
                record["score"] = _score(
                    self._metrics(rows, _predictions(run.model, rows))
                )
            rows = self._rows(self.data.evaluated)
            found = _predictions(run.model, rows)
            record["metrics"] = self._metrics(rows, found)
            predictions = found
            del run  # before the next model is made
        except DivergedError as error:
            self.say(f"  diverged: {error}")
            record |= {"error": str(error), "score": None, "metrics": None}
        self.store.put(key, record, predictions)
        gc.collect()
        return record, predictions

    def baseline(self, name: str) -> Compared:
        """Fits a model that is not deep."""
        key = self.store.key(baseline=name, data=self.fingerprint)
        kept = self._kept(key)
        if kept is None:
            self.say(f"[{self.done}/{self.total}] {name}")
            predictions = {
                task: np.reshape(values, (-1,)).astype(np.float32)
                for task, values in predict_baseline(name, self.data).items()
            }
            record: dict[str, Any] = {"label": name, "seed": 0, "error": None}
            rows = self._rows(self.data.evaluated)
            record["metrics"] = self._metrics(rows, predictions)
            self.store.put(key, record, predictions)
            kept = record, predictions
        return Compared(name, [kept[0]], [kept[1]])

    def _kept(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        self._counted.add(key)
        self.done = len(self._counted)
        return self.store.get(key)

    def _metrics(self, rows: Batches, predictions: Mapping[str, Any]) -> Any:
        schema = self.data.encoder.schema
        groups = None if schema.group is None else rows.group()
        return evaluate(
            rows.labels(), predictions, rows.weights(), schema, groups
        )

    def _rows(self, source: Any) -> Batches:
        size = self.settings.evaluation.batch_size
        return Batches(source, self.data.encoder, size)


def _training(
    experiment: ExperimentSettings, recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """What a run of the model depends on."""
    unused = {"seeds", "save_every", "tensorboard"}
    if experiment.model.get("name") != "AutoIFS":
        unused.add("flow_search")
    return {k: v for k, v in recipe.items() if k not in unused}


def _predictions(model: Any, rows: Batches) -> dict[str, Any]:
    found = {
        task: values[:, 0].astype(np.float32)
        for task, values in predict_rows(model, rows).items()
    }
    for task, values in found.items():
        if not np.isfinite(values).all():
            raise DivergedError(
                f"training diverged: predictions of {task!r} are not finite. "
                "Lower learning_rate and embedding_learning_rate, raise "
                "warmup_steps, or set global_clipnorm."
            )
    return found


def _history(run: Run, folder: pathlib.Path) -> dict[str, Any]:
    """Of all epochs; a run that was resumed remembers the last ones alone."""
    path = folder / "history.csv"
    if not path.exists():
        return dict(run.history)
    table = pd.read_csv(path).drop(columns="epoch")
    return {str(name): table[name].tolist() for name in table}


def _check_data(settings: ComparisonSettings, data: ExperimentData) -> None:
    if data.evaluated is None:
        raise ValueError(
            "a comparison needs test rows, or validation rows in their place."
        )
    if settings.search.trials > 1 and data.validation is None:
        raise ValueError(
            "[search] scores trials on the validation rows, and there are "
            "none. Give [data] validation, or set trials = 1."
        )


def _score(metrics: Any) -> float | None:
    """Mean AUC of the tasks; without any, minus the mean error."""
    found = mean_score(metrics)
    if found is None:
        return None
    metric, value = found
    return value if metric == "auc" else -value


def _number(value: float | None) -> float:
    return -np.inf if value is None else float(value)
