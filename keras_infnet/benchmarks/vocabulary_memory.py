"""Peak memory of row-sparse training, measured in separate processes."""

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
    MODELS,
    ROW_SPARSE,
    Plan,
    make_data,
    make_model,
)

__all__ = ["memory_of_training", "memory_table", "peaks_of_training"]

# Title by peak, and whether the tables are initialized randomly.
_PEAKS = {
    "step": ("training", False),
    "whole": ("initialization and training", True),
}


def memory_of_training(
    model: str, rows: int, drawn: bool, options: Mapping[str, Any]
) -> int | None:
    """Trains in this process and returns the peak memory."""
    settings = VocabularySettings(**options)
    schema = field_schema(rows, settings.fields)
    data = make_data(schema, settings)
    start = "uniform" if drawn else "ones"
    built = make_model(Plan(model, ROW_SPARSE, rows), schema, settings, start)
    if not drawn:
        for variable in built.trainable_variables:
            # Waits for JAX, which initializes asynchronously.
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
    """Measures a model with the fewest and the most rows."""
    few, many = rows[0], rows[-1]
    tables = Plan(model, ROW_SPARSE, many).bytes(settings.dim)
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
    """Formats the results of `peaks_of_training` by model."""
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
    headings = ["model", "peak of", "rows", "memory", "tables and accumulator"]
    headings += ["with few rows", "excess over the sum"]
    title = f"Peak resident memory, {ROW_SPARSE}"
    return SectionTable(title, headings, rows)
