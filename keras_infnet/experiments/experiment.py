"""Builds, trains and evaluates a model as its settings say."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_infnet.data import Batches, Encoder, open_source
from keras_infnet.evaluation.baselines import (
    GradientBoostingBaseline,
    LogisticRegressionBaseline,
)
from keras_infnet.evaluation.report import evaluate
from keras_infnet.experiments.experiment_data import (
    ExperimentData,
    check_labels,
)
from keras_infnet.experiments.settings import ExperimentSettings
from keras_infnet.models.find_model import find_model
from keras_infnet.schema import Schema
from keras_infnet.schema.agreement import check_encoder_matches
from keras_infnet.training import (
    FlowSearch,
    LearningCurve,
    compile_ranker,
    fit_ranker,
    predict_rows,
    search_and_retrain,
)

__all__ = [
    "DivergedError",
    "Run",
    "build_model",
    "check_stage",
    "evaluate_model",
    "evaluate_rows",
    "fit_baseline",
    "mean_score",
    "predict_baseline",
    "run_experiment",
]

Results = dict[str, dict[str, float]]


class DivergedError(ValueError):
    """Raised when the loss or the predictions are not finite."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"training diverged: {reason}. Lower learning_rate and "
            "embedding_learning_rate, raise warmup_steps, or set "
            "global_clipnorm."
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """One trained model.

    Args:
        model: the model.
        metrics: dict of results by task, or `None` without rows to evaluate.
        history: dict of metric name to list of values, one per epoch.
        seconds: float. Time in `fit`.
        rows: integer. Rows read by training, over all epochs.
        curve: dict of the lists `rows` and `loss`: training loss by number of
            rows read, see `keras_infnet.training.LearningCurve`.
    """

    model: Any
    metrics: Results | None
    history: Mapping[str, Any]
    seconds: float
    rows: int
    curve: Mapping[str, list[Any]]


def build_model(
    settings: ExperimentSettings, schema: Schema, name: str | None = None
) -> Any:
    """Builds and compiles the model of an experiment.

    Args:
        settings: `ExperimentSettings`.
        schema: `Schema`, fitted.
        name: string or `None`. Model class to build with its defaults,
            instead of the model of the settings. Defaults to `None`.

    Returns:
        A compiled model.
    """
    arguments: dict[str, Any] = {}
    if name is None:
        arguments = dict(settings.model)
        name = arguments.pop("name", "INFNet")
    cls: Any = find_model(str(name))
    training = settings.training
    arguments["dtype"] = training.dtype_policy
    preset = arguments.pop("preset", None)
    model = (
        cls(schema, **arguments)
        if preset is None
        else cls.from_preset(preset, schema, **arguments)
    )
    return compile_ranker(model, **training.optimizer_arguments)


def check_stage(model: Any) -> None:
    """Raises for an AutoIFS of `stage="retrain"`, whose gates are random."""
    if getattr(model, "stage", None) == "retrain":
        raise ValueError(
            "the settings name an AutoIFS with stage='retrain', whose gates "
            "would stay random. Leave `stage` out: training runs both stages."
        )


def run_experiment(
    settings: ExperimentSettings,
    data: ExperimentData,
    seed: int = 0,
    directory: Any = None,
    name: str | None = None,
    verbose: Any = "auto",
    evaluated: bool = True,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Trains one model with one seed and evaluates it.

    Args:
        settings: `ExperimentSettings`.
        data: `ExperimentData`.
        seed: integer. Seed of weights, dropout and order of rows. Defaults
            to `0`.
        directory: path or `None`. Directory of the logs and of the state of
            an unfinished run; see `keras_infnet.training.fit_ranker`.
            Defaults to `None`.
        name: string or `None`. See `build_model`. Defaults to `None`.
        verbose: `verbose` of `fit`. Defaults to `"auto"`.
        evaluated: boolean. Whether to compute metrics, on the test rows or,
            if there are none, the validation rows. Defaults to `True`.
        callbacks: further callbacks of `fit`. Defaults to `()`.

    Returns:
        `Run`.

    Raises:
        ValueError: If no task has labels, or training diverges.
    """
    keras.utils.set_random_seed(seed)
    training = settings.training
    model = build_model(settings, data.encoder.schema, name)
    check_stage(model)
    train = Batches(
        data.train, data.encoder, training.batch_size, shuffle=True, seed=seed
    )
    check_labels(train, data.encoder.schema)
    validation = None
    if data.validation is not None:
        validation = Batches(
            data.validation, data.encoder, settings.evaluation.batch_size
        )
    curve = LearningCurve(train)
    options = {
        "epochs": training.epochs,
        "directory": directory,
        "patience": training.patience,
        "save_every": training.save_every,
        "tensorboard": training.tensorboard,
        "callbacks": [curve, *callbacks],
        "verbose": verbose,
    }
    searched = 0
    started = time.perf_counter()
    if getattr(model, "stage", None) == "search":
        search = FlowSearch(**training.flow_search)
        searched = search.epochs
        model, history = search_and_retrain(
            model,
            train,
            validation,
            search,
            compile_model=functools.partial(
                compile_ranker, **training.optimizer_arguments
            ),
            **options,
        )
    else:
        history = fit_ranker(model, train, validation, **options)
    seconds = time.perf_counter() - started
    # The history of a resumed run lacks the epochs before the interruption,
    # which may be all of them.
    epochs = history.epoch[-1] + 1 if history.epoch else training.epochs
    loss = history.history.get("loss", [0.0])[-1]
    if not np.isfinite(loss):
        raise DivergedError(f"the loss is {loss}")
    metrics = None
    if evaluated and data.evaluated is not None:
        metrics = evaluate_model(
            model,
            data.encoder,
            data.evaluated,
            settings.evaluation.batch_size,
        )
    return Run(
        model,
        metrics,
        history.history,
        seconds,
        train.num_rows * (searched + epochs),
        {"rows": curve.rows, "loss": curve.loss},
    )


def evaluate_model(
    model: Any, encoder: Encoder, source: Any, batch_size: int = 4096
) -> Results:
    """Computes the exact metrics of a model on labeled rows.

    Args:
        model: a model of `keras_infnet.models`.
        encoder: the `keras_infnet.data.Encoder` of the model.
        source: rows, anything that `keras_infnet.data.open_source` accepts.
        batch_size: integer. Rows predicted at once. Defaults to `4096`.

    Returns:
        Dict of results by task, see `keras_infnet.evaluation.evaluate`.

    Raises:
        ValueError: If the encoder belongs to another model.
    """
    check_encoder_matches(model.schema, encoder.schema)
    rows = Batches(source, encoder, batch_size)
    return evaluate_rows(rows, predict_rows(model, rows))


def evaluate_rows(rows: Batches, predictions: Mapping[str, Any]) -> Results:
    """Computes the exact metrics of the predictions of labeled rows."""
    schema = rows.schema
    groups = None if schema.group is None else rows.group()
    return evaluate(rows.labels(), predictions, rows.weights(), schema, groups)


def fit_baseline(
    name: str, settings: ExperimentSettings, data: ExperimentData, seed: int = 0
) -> Results:
    """Fits a baseline to the training rows and evaluates it.

    Args:
        name: `"logistic_regression"`, `"gradient_boosting"` or
            `"shared_bottom"`.
        settings: `ExperimentSettings`.
        data: `ExperimentData`.
        seed: integer. Defaults to `0`.

    Returns:
        Dict of results by task.

    Raises:
        ValueError: If there are no rows to evaluate.
    """
    if data.evaluated is None:
        raise ValueError(
            "baselines are evaluated on test or validation rows. Give [data] "
            "`test` or `validation`."
        )
    if name == "shared_bottom":
        run = run_experiment(
            settings, data, seed, name="SharedBottom", verbose=0
        )
        return run.metrics or {}
    rows = Batches(data.evaluated, data.encoder, settings.evaluation.batch_size)
    return evaluate_rows(rows, predict_baseline(name, data, seed))


def predict_baseline(
    name: str, data: ExperimentData, seed: int = 0
) -> dict[str, np.ndarray]:
    """Fits a scikit-learn baseline and predicts the evaluated rows."""
    classes: dict[str, Callable[..., Any]] = {
        "logistic_regression": LogisticRegressionBaseline,
        "gradient_boosting": GradientBoostingBaseline,
    }
    baseline = classes[name](data.encoder.schema, seed=seed)
    baseline.fit(data.encoder, open_source(data.train).read())
    test = open_source(data.evaluated).read()
    return dict(baseline.predict(test))


def mean_score(metrics: Mapping[str, Any] | None) -> tuple[str, float] | None:
    """Averages the main metric over the tasks that have it.

    Returns `("auc", mean)`, or `("rmse", mean)` if no AUC is defined, or `None`
    if neither is.

    Example:

    >>> mean_score({"click": {"auc": 0.75}, "like": {"auc": 0.25}})
    ('auc', 0.5)
    """
    for metric in ("auc", "rmse"):
        values = [
            float(task[metric])
            for task in (metrics or {}).values()
            if task.get(metric) is not None and np.isfinite(task[metric])
        ]
        if values:
            return metric, float(np.mean(values))
    return None
