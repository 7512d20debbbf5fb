"""Models by models on the same rows, with the same recipe and budget."""

import dataclasses
import gc
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_infnet.data import Batches
from keras_infnet.evaluation.comparison_settings import ComparisonSettings
from keras_infnet.evaluation.configuration import ExperimentSettings
from keras_infnet.evaluation.experiment import (
    DivergedError,
    ExperimentData,
    build_model,
    load_data,
    predict_baseline,
    run_experiment,
)
from keras_infnet.evaluation.graph_products import UncountedError
from keras_infnet.evaluation.multiply_adds import multiply_adds
from keras_infnet.evaluation.report import evaluate
from keras_infnet.evaluation.run_store import RunStore, fingerprint
from keras_infnet.evaluation.scores import mean_score
from keras_infnet.training import predict_rows

__all__ = ["Compared", "Comparison", "compare"]

_LOGGER = logging.getLogger("keras_infnet")
_TIMED_ROWS = 4096
_TIMED_ROUNDS = 5


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
    """
    data = load_data(settings.data)
    _check_data(settings, data)
    schema = data.encoder.schema
    # Before any work: a schema may not suit a model.
    costs = {
        label: _costs(
            label, build_model(settings.experiment(label, {}), schema)
        )
        for label in settings.labels
    }
    worker = _Worker(settings, data, say, verbose)
    found = {label: worker.model(label) for label in settings.labels}
    seconds = _prediction_seconds(settings, data)
    rows = Batches(data.evaluated, data.encoder, settings.evaluation.batch_size)
    return Comparison(
        settings,
        [
            *(
                dataclasses.replace(
                    found[label],
                    microseconds=1e6 * seconds[label],
                    **costs[label],
                )
                for label in settings.labels
            ),
            *map(worker.baseline, settings.evaluation.baselines),
        ],
        rows.labels(),
        rows.weights(),
        None if schema.group is None else rows.group(),
        data.best,
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
        self.store = RunStore(settings.directory)
        self.fingerprint = fingerprint(data)
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
            model=experiment.model,
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
        record["score"] = None
        predictions: dict[str, Any] = {}
        try:
            run = run_experiment(
                experiment,
                self.data,
                seed,
                directory=self.store.unfinished(key),
                verbose=self.verbose,
                evaluated=False,
            )
        except DivergedError as error:
            self.say(f"  diverged: {error}")
            record |= {"error": str(error), "metrics": None}
        else:
            record |= {
                "seconds": run.seconds,
                "rows": run.rows,
                "history": dict(run.history),
                "curve": dict(run.curve),
            }
            if self.searches:
                rows = self._rows(self.data.validation)
                record["score"] = _score(
                    self._metrics(rows, _predictions(run.model, rows))
                )
            rows = self._rows(self.data.evaluated)
            predictions = _predictions(run.model, rows)
            record["metrics"] = self._metrics(rows, predictions)
            del run  # before the next model is made
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
    unused = {"seeds"}
    if experiment.model.get("name") != "AutoIFS":
        unused.add("flow_search")
    return {k: v for k, v in recipe.items() if k not in unused}


def _predictions(model: Any, rows: Batches) -> dict[str, Any]:
    return {
        task: values[:, 0].astype(np.float32)
        for task, values in predict_rows(model, rows).items()
    }


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


def _costs(label: str, model: Any) -> dict[str, Any]:
    try:
        products = multiply_adds(model)
    except UncountedError as error:
        _LOGGER.warning(
            "the multiply-adds of %s are not counted: %s", label, error
        )
        products = None
    return {"parameters": _parameters(model), "multiply_adds": products}


def _parameters(model: Any) -> dict[str, int]:
    sizes = {"embedding": 0, "dense": 0}
    for weight in model.trainable_weights:
        of_table = getattr(weight, "row_sparse", False)
        sizes["embedding" if of_table else "dense"] += int(
            np.prod(weight.shape)
        )
    return sizes


def _prediction_seconds(
    settings: ComparisonSettings, data: ExperimentData
) -> dict[str, float]:
    """Seconds to predict a row, all models in turn, medians of rounds."""
    rows = Batches(data.evaluated, data.encoder, _TIMED_ROWS)
    inputs, *_ = rows[0]
    count = len(next(iter(inputs.values())))
    models = {
        label: build_model(settings.experiment(label, {}), data.encoder.schema)
        for label in settings.labels
    }
    times: dict[str, list[float]] = {label: [] for label in models}
    for _ in range(_TIMED_ROUNDS + 1):  # the first one compiles
        for label, model in models.items():
            started = time.perf_counter()
            model.predict_on_batch(inputs)
            times[label].append(time.perf_counter() - started)
    return {
        label: float(np.median(values[1:])) / count
        for label, values in times.items()
    }
