"""What a prediction costs."""

import dataclasses
import logging
import time
from typing import Any

import numpy as np

from keras_infnet.data import Batches
from keras_infnet.evaluation.comparison_settings import ComparisonSettings
from keras_infnet.evaluation.experiment import ExperimentData, build_model
from keras_infnet.evaluation.graph_products import UncountedError
from keras_infnet.evaluation.multiply_adds import multiply_adds
from keras_infnet.schema import Schema

__all__ = ["count_costs", "prediction_seconds", "served_model"]

_LOGGER = logging.getLogger("keras_infnet")

_TIMED_ROWS = 4096
_TIMED_ROUNDS = 5


def served_model(
    settings: ComparisonSettings, label: str, schema: Schema
) -> Any:
    """Builds the model that answers requests, with its first weights.

    Args:
        settings: `ComparisonSettings`.
        label: string. Of the model.
        schema: `Schema`, fitted.

    Returns:
        A compiled model; of AutoIFS that of its second stage.
    """
    experiment = settings.experiment(label, {})
    if experiment.model.get("name") == "AutoIFS":
        model = {**experiment.model, "stage": "retrain"}
        experiment = dataclasses.replace(experiment, model=model)
    return build_model(experiment, schema)


def count_costs(label: str, model: Any) -> dict[str, Any]:
    """Counts weights and multiply-adds.

    Args:
        label: string. Of the model.
        model: what is served.

    Returns:
        Dict with `parameters` and `multiply_adds` of `Compared`.
    """
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


def prediction_seconds(
    settings: ComparisonSettings, data: ExperimentData
) -> dict[str, float]:
    """Measures seconds to predict a row, all models in turn.

    Args:
        settings: `ComparisonSettings`.
        data: `ExperimentData`.

    Returns:
        Dict of medians over rounds, by label.
    """
    rows = Batches(data.evaluated, data.encoder, _TIMED_ROWS)
    inputs, *_ = rows[0]
    count = len(next(iter(inputs.values())))
    models = {
        label: served_model(settings, label, data.encoder.schema)
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
