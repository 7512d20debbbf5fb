"""What does a step cost as the tables grow?"""

import dataclasses
import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_infnet.benchmarks.machine import describe_machine
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
    BY_ROWS,
    MODELS,
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


def measure(settings: VocabularySettings, log: Callable[[str], None]) -> Report:
    """Measures steps of models whose tables have more and more rows."""
    machine = describe_machine()
    plans, notes = fitting_plans(settings)
    for note in notes:
        log(note)
    models = list(dict.fromkeys(plan.model for plan in plans))
    if not models:
        raise ValueError(
            "no case fits in memory. Give fewer `rows`. Received: "
            f"rows={settings.rows}."
        )
    times = _times(plans, settings, log)
    gc.collect()  # the models: children that measure memory need the room
    spreads = {plan: spread(times[plan.name]) for plan in plans}
    tables = [_table(name, spreads, times) for name in models]
    growth, lines = _growth(settings, plans, times)
    comparison, more = _comparison(plans, times)
    notes += lines + more
    memory: dict[str, Any] = {}
    if settings.memory and machine["accelerator"] is not None:
        notes.append("Memory was not measured: the tables lie elsewhere.")
    elif settings.memory:
        for name in models:
            rows = [
                plan.rows
                for plan in plans
                if plan.model == name and plan.training == BY_ROWS
            ]
            if rows:
                memory[name] = peaks_of_training(name, rows, settings, log)
        if memory:
            tables.append(memory_table(memory))
    results = {
        "cases": [
            {
                **dataclasses.asdict(plan),
                "seconds": times[plan.name],
                **dataclasses.asdict(found),
            }
            for plan, found in spreads.items()
        ],
        "growth": growth,
        "stock_over_rows": comparison,
        "memory": memory,
    }
    return Report(
        "vocabulary",
        machine,
        dataclasses.asdict(settings),
        tables,
        notes,
        results,
        [_chart(name, spreads) for name in models],
    )


def _times(
    plans: Sequence[Plan],
    settings: VocabularySettings,
    log: Callable[[str], None],
) -> dict[str, list[float]]:
    cases = []
    # The cases of one size read the same arrays.
    data: dict[int, tuple[Schema, Any]] = {}
    for plan in plans:
        if plan.rows not in data:
            schema = field_schema(plan.rows, settings.fields)
            data[plan.rows] = schema, make_data(schema, settings)
        schema, batches = data[plan.rows]
        cases.append(_case(plan, schema, batches, settings))
    return interleave(cases, settings.repeats, log)


def _case(
    plan: Plan, schema: Schema, data: Any, settings: VocabularySettings
) -> Case:
    model = make_model(plan, schema, settings)
    return Case(plan.name, lambda: step_seconds(model, data, settings.steps))


def _table(
    model: str,
    spreads: Mapping[Plan, Spread],
    times: Mapping[str, Sequence[float]],
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
    return SectionTable(
        f"Time of a step: {MODELS[model]}",
        [
            "training",
            "rows",
            "ms",
            "quartiles",
            f"over {reference.training}, {reference.rows:,}",
            "range",
        ],
        rows,
    )


def _growth(
    settings: VocabularySettings,
    plans: Sequence[Plan],
    times: Mapping[str, Sequence[float]],
) -> tuple[dict[str, Any], list[str]]:
    """Time by rows at the largest size over that at a hundred thousand."""
    results, lines = {}, []
    for model, title in MODELS.items():
        by_rows = [
            plan
            for plan in plans
            if plan.model == model and plan.training == BY_ROWS
        ]
        if len(by_rows) < 2:
            continue
        # Smaller tables fit in the cache of the processor.
        start = next((p for p in by_rows if p.rows >= 100_000), by_rows[0])
        start = by_rows[-2] if start is by_rows[-1] else start
        found = ratios(times, by_rows[-1].name, start.name)
        results[model] = {
            "from": start.rows,
            "to": by_rows[-1].rows,
            **dataclasses.asdict(found),
        }
        middle, ends = quotient(found)
        lines.append(
            f"{title}, by rows: a step with {by_rows[-1].rows:,} rows takes "
            f"{middle} times ({ends}) that with {start.rows:,}."
        )
    return results, lines


def _comparison(
    plans: Sequence[Plan], times: Mapping[str, Sequence[float]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Time of stock Keras over time by rows, where both were measured."""
    results, lines = [], []
    for plan in plans:
        ours = Plan(plan.model, BY_ROWS, plan.rows)
        if plan.training == BY_ROWS or ours not in plans:
            continue
        found = ratios(times, plan.name, ours.name)
        results.append(
            {**dataclasses.asdict(plan), **dataclasses.asdict(found)}
        )
        middle, ends = quotient(found)
        lines.append(
            f"{MODELS[plan.model]}, {plan.rows:,} rows: {plan.training} "
            f"takes {middle} times ({ends}) what training by rows takes."
        )
    return results, lines


def _chart(model: str, spreads: Mapping[Plan, Spread]) -> Chart:
    lines: dict[str, list[tuple[float, float, Any]]] = {}
    for plan, found in spreads.items():
        if plan.model == model:
            ends = (1e3 * found.lower, 1e3 * found.upper)
            point = (float(plan.rows), 1e3 * found.median, ends)
            lines.setdefault(plan.training, []).append(point)
    return Chart(MODELS[model], "rows of all tables", "ms a step", lines)
