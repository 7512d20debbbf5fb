"""Memory that training by rows takes, in processes of their own."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_infnet.benchmarks.memory import peak_memory, reset_peak
from keras_infnet.benchmarks.random_batches import field_schema
from keras_infnet.benchmarks.report import SectionTable, percent, size
from keras_infnet.benchmarks.settings import VocabularySettings
from keras_infnet.benchmarks.step_timing import step_seconds
from keras_infnet.benchmarks.subprocess_measurement import call_in_child
from keras_infnet.benchmarks.vocabulary_cases import (
    BY_ROWS,
    MODELS,
    Plan,
    make_data,
    make_model,
)

__all__ = ["memory_of_training", "memory_table", "peaks_of_training"]

# What peaks are measured, and whether random tables are drawn for them.
_PEAKS = {"step": ("training", False), "whole": ("all, with drawing", True)}


def memory_of_training(
    model: str, rows: int, drawn: bool, options: Mapping[str, Any]
) -> int | None:
    """Trains by rows in this process, and returns the memory it took."""
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in options.items()
    }
    settings = VocabularySettings(**plain)
    schema = field_schema(rows, settings.fields)
    data = make_data(schema, settings)
    start = "uniform" if drawn else "ones"
    built = make_model(Plan(model, BY_ROWS, rows), schema, settings, start)
    if not drawn:
        for variable in built.trainable_variables:
            # JAX may still be at it.
            keras.ops.convert_to_numpy(variable.value[:1])
        if not reset_peak():
            return None
    for _ in range(2):
        step_seconds(built, data, settings.steps)
    return peak_memory()


def peaks_of_training(
    model: str,
    rows: Sequence[int],
    settings: VocabularySettings,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Measures a model with few rows and with many."""
    few, many = rows[0], rows[-1]
    # The tables of the small model are part of what it needs.
    tables = Plan(model, BY_ROWS, many).bytes(settings.dim)
    result: dict[str, Any] = {"few": few, "many": many, "tables": tables}
    for what, (title, drawn) in _PEAKS.items():
        log(f"memory: {MODELS[model]}, {title}")
        small, large = (
            call_in_child(
                f"{__name__}:memory_of_training",
                {
                    "model": model,
                    "rows": count,
                    "drawn": drawn,
                    "options": dataclasses.asdict(settings),
                },
            )
            for count in (few, many)
        )
        result[what] = None
        if small is not None:
            result[what] = {
                "few": small,
                "many": large,
                "excess": large / (tables + small) - 1,
            }
    return result


def memory_table(memory: Mapping[str, Any]) -> SectionTable:
    """Writes what `peaks_of_training` found, by model."""
    rows = [
        [
            MODELS[model],
            title,
            f"{found['many']:,}",
            size(found[what]["many"]),
            size(found["tables"]),
            size(found[what]["few"]),
            percent(found[what]["excess"]),
        ]
        for model, found in memory.items()
        for what, (title, _) in _PEAKS.items()
        if found[what] is not None
    ]
    return SectionTable(
        "Peak resident memory, by rows",
        [
            "model",
            "peak of",
            "rows",
            "memory",
            "tables and accumulator",
            "with few rows",
            "excess over the sum",
        ],
        rows,
    )
