"""What a model costs."""

import dataclasses
import logging
import time
from collections.abc import Mapping
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
    """Builds the model that answers requests: of AutoIFS its second stage."""
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
            "the multiply-adds of %s are not counted: %s", label, error
        )
        products = None
    return {"parameters": _parameters(model), "multiply_adds": products}


def _parameters(model: Any) -> dict[str, int]:
    sizes = {"embedding": 0, "dense": 0}
    for weight in model.weights:
        of_table = getattr(weight, "row_sparse", False)
        sizes["embedding" if of_table else "dense"] += int(
            np.prod(weight.shape)
        )
    return sizes


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds a row of a training step and of a prediction, medians."""

    train: float
    predict: float


def measure_speeds(
    settings: ComparisonSettings, data: ExperimentData
) -> dict[str, Speed]:
    """Measures training and prediction by label, all models in turn.

    A machine that is slower for a while is slower for all of them.
    Compilation and the making of batches are left out.
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
    for _ in range(_TIMED_ROUNDS + 1):  # the first one compiles
        for label, model in models.items():
            started = time.perf_counter()
            for _ in range(_TIMED_STEPS):
                model.train_on_batch(*learned)
            trained = time.perf_counter()
            model.predict_on_batch(inputs)
            predictions[label].append(time.perf_counter() - trained)
            steps[label].append(trained - started)
    return {
        label: Speed(
            float(np.median(steps[label][1:]))
            / (_TIMED_STEPS * _count(learned[0])),
            float(np.median(predictions[label][1:])) / _count(inputs),
        )
        for label in models
    }


def _count(inputs: Mapping[str, Any]) -> int:
    return len(next(iter(inputs.values())))
