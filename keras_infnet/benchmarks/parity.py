"""Does every model answer behind every signature as in training?"""

import dataclasses
import json
import logging
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from keras_infnet import models
from keras_infnet.benchmarks.machine import describe_machine
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

# Forms of a model that share little of their graphs.
_FORMS: Mapping[str, Mapping[str, Any]] = {
    "INFNet, proxy": {"name": "INFNet", "variant": "proxy"},
    "PLE on RankMixer": {
        "name": "PLE",
        "trunk": {"name": "RankMixer", "token_dim": 32},
    },
}
_EXAMPLES = 64

# Largest difference of any task: by model and signature. A text is an error.
Found = Mapping[str, float] | str


def measure(settings: ParitySettings, log: Callable[[str], None]) -> Report:
    """Trains, exports and compares every model of the package."""
    labels: dict[str, Mapping[str, Any]] = {
        **{name: {"name": name} for name in models.model_names()},
        **_FORMS,
    }
    if settings.tiny:
        labels = {"SharedBottom": labels["SharedBottom"]}
    # As many warnings as exports, of what is not measured here.
    logging.getLogger("keras_infnet").setLevel(logging.ERROR)
    data = load_data(_settings({}, settings).data)
    found: dict[str, Found] = {}
    for number, (label, config) in enumerate(sorted(labels.items()), 1):
        log(f"[{number}/{len(labels)}] {label}")
        try:
            differences = _differences(config, settings, data)
            found[label] = differences
            log(f"  at most {max(differences.values()):.1e} beside `predict`")
        except (ValueError, RuntimeError) as error:
            # The others are still of interest.
            found[label] = str(error)
            log(f"failed: {error}")
    return Report(
        "parity",
        describe_machine(),
        dataclasses.asdict(settings),
        [_table(found)],
        _notes(settings, found),
        {label: _plain(values) for label, values in found.items()},
        [],
    )


def _settings(
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
    config: Mapping[str, Any], settings: ParitySettings, data: ExperimentData
) -> dict[str, float]:
    largest: dict[str, float] = {}
    for seed in range(settings.repeats):
        for signature, difference in _of_one(
            config, settings, data, seed
        ).items():
            known = largest.get(signature, 0.0)
            largest[signature] = max(known, difference)
    return largest


def _of_one(
    config: Mapping[str, Any],
    settings: ParitySettings,
    data: ExperimentData,
    seed: int,
) -> dict[str, float]:
    run = run_experiment(
        _settings(config, settings), data, seed, verbose=0, evaluated=False
    )
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


def _table(found: Mapping[str, Found]) -> SectionTable:
    signatures = list(
        dict.fromkeys(
            signature
            for values in found.values()
            if not isinstance(values, str)
            for signature in values
        )
    )
    rows = [
        [
            label,
            *(
                "failed" if isinstance(values, str) else f"{values[name]:.1e}"
                for name in signatures
            ),
        ]
        for label, values in found.items()
    ]
    return SectionTable(
        "Largest difference between an export and `predict`",
        ["model", *signatures],
        rows,
    )


def _notes(settings: ParitySettings, found: Mapping[str, Found]) -> list[str]:
    failed = [n for n, values in found.items() if isinstance(values, str)]
    lines = [
        f"Trained on a part of {settings.rows:,} simulated rows, then "
        "exported. Of values beyond 1 it is a part of the value."
    ]
    if failed:
        lines.append(f"Failed: {', '.join(failed)}.")
    return lines


def _plain(values: Found) -> Any:
    return values if isinstance(values, str) else dict(values)
