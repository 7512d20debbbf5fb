"""Metrics of trained and exported models, for several commands."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.cli.console import say
from keras_infnet.data import Batches, Encoder, open_source
from keras_infnet.evaluation import evaluate, json_safe
from keras_infnet.experiments import (
    ExperimentData,
    ExperimentSettings,
    fit_baseline,
)
from keras_infnet.experiments.run_report import BASELINE_TITLES
from keras_infnet.serving import Servable
from keras_infnet.utils.atomic_files import write_text

__all__ = ["evaluate_export", "fit_baselines", "write_metrics"]

Results = Mapping[str, Mapping[str, float]]


def evaluate_export(
    servable: Servable, encoder: Encoder, source: Any, batch_size: int = 4096
) -> dict[str, dict[str, float]]:
    """Computes the exact metrics of an exported graph on labeled rows."""
    source = open_source(source, encoder.text_columns)
    rows = Batches(source, encoder, batch_size)
    parts = [
        servable.predict_raw(chunk, batch_size) for chunk in source.chunks()
    ]
    predictions = {
        task: np.concatenate([part[task] for part in parts])
        for task in encoder.schema.task_names
    }
    groups = None if encoder.schema.group is None else rows.group()
    return evaluate(
        rows.labels(), predictions, rows.weights(), encoder.schema, groups
    )


def fit_baselines(
    settings: ExperimentSettings, data: ExperimentData, seed: int
) -> dict[str, Results]:
    """Fits the baselines of the settings and returns their metrics by name."""
    results: dict[str, Results] = {}
    for name in settings.evaluation.baselines:
        say(f"Fitting the baseline {BASELINE_TITLES[name]!r}.")
        results[name] = fit_baseline(name, settings, data, seed)
    return results


def write_metrics(path: str | os.PathLike[str], metrics: Results) -> None:
    """Writes metrics as JSON."""
    write_text(path, json.dumps(json_safe(metrics), indent=2) + "\n")
