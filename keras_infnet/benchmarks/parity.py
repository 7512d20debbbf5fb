"""Largest difference between each exported model and `predict`."""

import json
import logging
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from keras_infnet import models
from keras_infnet.benchmarks.report import Report, SectionTable
from keras_infnet.benchmarks.settings import ParitySettings
from keras_infnet.data import Table
from keras_infnet.experiments import (
    ExperimentData,
    ExperimentSettings,
    load_data,
    run_experiment,
)
from keras_infnet.serving import export

__all__ = ["measure"]

# Variants of models with very different graphs.
_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "INFNet, proxy": {"name": "INFNet", "variant": "proxy"},
    "PLE on RankMixer": {
        "name": "PLE",
        "trunk": {"name": "RankMixer", "token_dim": 32},
    },
}
_EXAMPLES = 64


def measure(settings: ParitySettings, log: Callable[[str], None]) -> Report:
    """Trains, exports and compares every model of the package."""
    configs: dict[str, Mapping[str, Any]] = {
        **{name: {"name": name} for name in models.model_names()},
        **_VARIANTS,
    }
    if settings.tiny:
        configs = {"SharedBottom": configs["SharedBottom"]}
    # Every export warns about what is not measured here.
    logging.getLogger("keras_infnet").setLevel(logging.ERROR)
    data = load_data(_experiment({}, settings).data)
    found: dict[str, dict[str, float]] = {}
    failed: dict[str, str] = {}
    for number, (label, config) in enumerate(sorted(configs.items()), 1):
        log(f"[{number}/{len(configs)}] {label}")
        experiment = _experiment(config, settings)
        try:
            differences = [
                _differences(experiment, data, seed)
                for seed in range(settings.repeats)
            ]
        except (ValueError, RuntimeError) as error:
            failed[label] = str(error)
            log(f"  failed: {error}")
            continue
        found[label] = {
            signature: max(each[signature] for each in differences)
            for signature in differences[0]
        }
        largest = max(found[label].values())
        log(f"  differs from `predict` by at most {largest:.1e}")
    notes = [
        f"Trained on {settings.rows:,} simulated rows, then exported. "
        "Differences are relative for values beyond 1."
    ]
    if failed:
        notes.append(f"Failed: {', '.join(failed)}.")
    return Report(settings, [_table(found, failed)], notes, {**found, **failed})


def _experiment(
    config: Mapping[str, Any], settings: ParitySettings
) -> ExperimentSettings:
    return ExperimentSettings.from_dict(
        {
            "data": {
                "dataset": "synthetic",
                "options": {"num_rows": settings.rows},
            },
            "model": {"name": "SharedBottom", "preset": "small", **config},
            "training": {
                "batch_size": settings.batch_size,
                "epochs": 1,
                "learning_rate": 0.002,
                "embedding_learning_rate": 0.1,
                "warmup_steps": 5,
            },
        }
    )


def _differences(
    experiment: ExperimentSettings, data: ExperimentData, seed: int
) -> dict[str, float]:
    """Returns the largest difference of any task by signature."""
    run = run_experiment(experiment, data, seed, verbose=0, evaluated=False)
    examples = data.evaluated
    assert isinstance(examples, Table)
    with tempfile.TemporaryDirectory() as temporary:
        version = export(
            run.model,
            data.encoder,
            pathlib.Path(temporary) / "model",
            examples=examples.slice(0, _EXAMPLES),
            warmup_rows=(),
        )
        parity = json.loads((version / "parity.json").read_text("utf-8"))
    return {
        signature: max(tasks.values())
        for signature, tasks in parity["largest_difference"].items()
    }


def _table(
    found: Mapping[str, Mapping[str, float]], failed: Mapping[str, str]
) -> SectionTable:
    names = list(dict.fromkeys(n for values in found.values() for n in values))
    rows = [
        [label, *(f"{values[name]:.1e}" for name in names)]
        for label, values in found.items()
    ]
    rows += [[label, *["failed"] * len(names)] for label in failed]
    title = "Largest difference between an export and `predict`"
    return SectionTable(title, ["model", *names], rows)
