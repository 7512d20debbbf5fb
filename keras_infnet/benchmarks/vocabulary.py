"""Time and memory of a training step by number of embedding rows."""

import dataclasses
import functools
import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_infnet.benchmarks.machine import accelerator
from keras_infnet.benchmarks.random_batches import field_schema
from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    milliseconds,
    quotient,
)
from keras_infnet.benchmarks.settings import VocabularySettings
from keras_infnet.benchmarks.step_timing import step_seconds
from keras_infnet.benchmarks.timing import (
    Case,
    Spread,
    interleave,
    ratios,
    spread,
)
from keras_infnet.benchmarks.vocabulary_cases import (
    MODELS,
    ROW_SPARSE,
    Plan,
    fitting_plans,
    make_data,
    make_model,
)
from keras_infnet.benchmarks.vocabulary_memory import (
    memory_table,
    peaks_of_training,
)
from keras_infnet.schema import Schema

__all__ = ["measure"]


Times = Mapping[str, Sequence[float]]


def measure(settings: VocabularySettings, log: Callable[[str], None]) -> Report:
    """Measures training steps of models with growing embedding tables."""
    plans, notes = fitting_plans(settings)
    for note in notes:
        log(note)
    models = list(dict.fromkeys(plan.model for plan in plans))
    if not models:
        raise ValueError(
            "no case fits in memory. Use smaller `rows`. Received: "
            f"rows={settings.rows}."
        )
    times = interleave(_cases(plans, settings), settings.repeats, log)
    gc.collect()  # frees the models for the processes that measure memory
    spreads = {plan: spread(times[plan.name]) for plan in plans}
    tables = [_table(name, spreads, times) for name in models]
    growth, lines = _growth(plans, times)
    comparison, more = _comparison(plans, times)
    notes += lines + more
    memory: dict[str, Any] = {}
    if settings.memory and accelerator() is not None:
        notes.append("Memory was not measured: tables are on an accelerator.")
    elif settings.memory:
        for name in models:
            rows = [plan.rows for plan in _row_sparse(plans, name)]
            if rows:
                memory[name] = peaks_of_training(name, rows, settings, log)
        if memory:
            tables.append(memory_table(memory))
    return Report(
        settings,
        tables,
        notes,
        {
            "cases": [
                {
                    **dataclasses.asdict(plan),
                    "seconds": times[plan.name],
                    **dataclasses.asdict(found),
                }
                for plan, found in spreads.items()
            ],
            "growth": growth,
            "dense_over_row_sparse": comparison,
            "memory": memory,
        },
        [_chart(name, spreads) for name in models],
    )


def _cases(plans: Sequence[Plan], settings: VocabularySettings) -> list[Case]:
    cases = []
    # Cases of one size share their batches.
    data: dict[int, tuple[Schema, Any]] = {}
    for plan in plans:
        if plan.rows not in data:
            schema = field_schema(plan.rows, settings.fields)
            data[plan.rows] = schema, make_data(schema, settings)
        schema, batches = data[plan.rows]
        model = make_model(plan, schema, settings)
        step = functools.partial(step_seconds, model, batches, settings.steps)
        cases.append(Case(plan.name, step))
    return cases


def _row_sparse(plans: Sequence[Plan], model: str) -> list[Plan]:
    """Returns the plans with row-sparse updates, by size."""
    return [
        plan
        for plan in plans
        if plan.model == model and plan.training == ROW_SPARSE
    ]


def _table(
    model: str, spreads: Mapping[Plan, Spread], times: Times
) -> SectionTable:
    plans = [plan for plan in spreads if plan.model == model]
    reference = plans[0]
    rows = [
        [
            plan.training,
            f"{plan.rows:,}",
            *milliseconds(spreads[plan]),
            *quotient(ratios(times, plan.name, reference.name)),
        ]
        for plan in plans
    ]
    over = f"over {reference.training}, {reference.rows:,}"
    headings = ["training", "rows", "ms", "quartiles", over, "range"]
    return SectionTable(f"Time of a step: {MODELS[model]}", headings, rows)


def _growth(
    plans: Sequence[Plan], times: Times
) -> tuple[dict[str, Any], list[str]]:
    """Compares the largest size with a hundred thousand rows."""
    results, lines = {}, []
    for model, title in MODELS.items():
        mine = _row_sparse(plans, model)
        if len(mine) < 2:
            continue
        # Smaller tables fit in the cache of the processor.
        start = next((p for p in mine if p.rows >= 100_000), mine[0])
        start = mine[-2] if start is mine[-1] else start
        found = ratios(times, mine[-1].name, start.name)
        results[model] = {
            "from": start.rows,
            "to": mine[-1].rows,
            **dataclasses.asdict(found),
        }
        middle, ends = quotient(found)
        lines.append(
            f"{title}, {ROW_SPARSE}: a step with {mine[-1].rows:,} rows takes "
            f"{middle} times ({ends}) as long as with {start.rows:,}."
        )
    return results, lines


def _comparison(
    plans: Sequence[Plan], times: Times
) -> tuple[list[dict[str, Any]], list[str]]:
    """Compares dense with row-sparse updates, where both were measured."""
    results, lines = [], []
    for plan in plans:
        ours = Plan(plan.model, ROW_SPARSE, plan.rows)
        if plan.training == ROW_SPARSE or ours not in plans:
            continue
        found = ratios(times, plan.name, ours.name)
        results.append(
            {**dataclasses.asdict(plan), **dataclasses.asdict(found)}
        )
        middle, ends = quotient(found)
        lines.append(
            f"{MODELS[plan.model]}, {plan.rows:,} rows: {plan.training} "
            f"takes {middle} times ({ends}) as long as {ROW_SPARSE}."
        )
    return results, lines


def _chart(model: str, spreads: Mapping[Plan, Spread]) -> Chart:
    lines: dict[str, dict[float, Spread]] = {}
    for plan, found in spreads.items():
        if plan.model == model:
            lines.setdefault(plan.training, {})[plan.rows] = found
    return Chart(MODELS[model], "rows of all tables", "ms per step", lines)
