"""Costs of a model: weights, multiply-adds, speed."""

import dataclasses
import logging
import time
from typing import Any

import numpy as np

from keras_infnet.data import Batches
from keras_infnet.evaluation.multiply_adds import multiply_adds
from keras_infnet.evaluation.tensorflow_multiply_adds import UncountedError
from keras_infnet.experiments.comparison.settings import ComparisonSettings
from keras_infnet.experiments.experiment import build_model
from keras_infnet.experiments.experiment_data import ExperimentData
from keras_infnet.schema import Schema

__all__ = ["Speed", "count_costs", "measure_speeds", "served_model"]

_LOGGER = logging.getLogger("keras_infnet")

_TIMED_ROWS = 4096
_TIMED_ROUNDS = 5
_TIMED_STEPS = 3


def served_model(
    settings: ComparisonSettings, label: str, schema: Schema
) -> Any:
    """Builds the model that is served, for AutoIFS its second stage."""
    experiment = settings.experiment(label, {})
    if experiment.model.get("name") == "AutoIFS":
        model = {**experiment.model, "stage": "retrain"}
        experiment = dataclasses.replace(experiment, model=model)
    return build_model(experiment, schema)


def count_costs(label: str, model: Any) -> dict[str, Any]:
    """Counts `parameters` and `multiply_adds` for `Compared`."""
    try:
        products = multiply_adds(model)
    except UncountedError as error:
        _LOGGER.warning(
            "the multiply-adds of %s cannot be counted: %s", label, error
        )
        products = None
    parameters = {"embedding": 0, "dense": 0}
    for weight in model.weights:
        is_table = getattr(weight, "row_sparse", False)
        kind = "embedding" if is_table else "dense"
        parameters[kind] += int(np.prod(weight.shape))
    return {"parameters": parameters, "multiply_adds": products}


@dataclasses.dataclass(frozen=True)
class Speed:
    """Median seconds per row of a training step and of a prediction."""

    train: float
    predict: float


def measure_speeds(
    settings: ComparisonSettings, data: ExperimentData
) -> dict[str, Speed]:
    """Measures training and prediction of all models, round by round.

    Taking turns spreads a slow phase of the machine over all models. Neither
    compilation nor input pipelines are measured.
    """
    size = settings.training.batch_size
    learned = Batches(data.train, data.encoder, size)[0]
    inputs, *_ = Batches(data.evaluated, data.encoder, _TIMED_ROWS)[0]
    models = {
        label: served_model(settings, label, data.encoder.schema)
        for label in settings.labels
    }
    steps: dict[str, list[float]] = {label: [] for label in models}
    predictions: dict[str, list[float]] = {label: [] for label in models}
    for _ in range(_TIMED_ROUNDS + 1):  # the first round compiles
        for label, model in models.items():
            started = time.perf_counter()
            for _ in range(_TIMED_STEPS):
                model.train_on_batch(*learned)
            trained = time.perf_counter()
            model.predict_on_batch(inputs)
            predictions[label].append(time.perf_counter() - trained)
            steps[label].append(trained - started)
    trained_rows, predicted_rows = (
        len(next(iter(batch.values()))) for batch in (learned[0], inputs)
    )
    return {
        label: Speed(
            float(np.median(steps[label][1:])) / (_TIMED_STEPS * trained_rows),
            float(np.median(predictions[label][1:])) / predicted_rows,
        )
        for label in models
    }
