"""What does a step cost as the tables grow?"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_infnet.benchmarks.child import call_in_child
from keras_infnet.benchmarks.embedding_only import EmbeddingOnly
from keras_infnet.benchmarks.machine import accelerator, describe_machine
from keras_infnet.benchmarks.memory import (
    available_memory,
    peak_memory,
    reset_peak,
)
from keras_infnet.benchmarks.peers import stock_keras
from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    milliseconds,
    percent,
    quotient,
    size,
)
from keras_infnet.benchmarks.settings import VocabularySettings
from keras_infnet.benchmarks.shapes import field_schema, random_batches
from keras_infnet.benchmarks.steps import prepared, step_seconds
from keras_infnet.benchmarks.timing import (
    Case,
    Spread,
    interleave,
    ratios,
    spread,
)
from keras_infnet.losses import task_losses
from keras_infnet.models import INFNet
from keras_infnet.optimizers import RowwiseAdagrad
from keras_infnet.schema import Schema

__all__ = ["measure", "memory_of_training"]

_MODELS = {"embedding": "embedding and update alone", "infnet": "INFNet"}
_ROWS = "by rows"
_DENSE = "stock optimiser"
_STOCK = "stock layers"
# Copies of a table that a step holds at most: the table, its accumulator, its
# gradient, and one more for what the backend does in between.
_COPIES = {_ROWS: 1, _DENSE: 4, _STOCK: 4}


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One case: a model, how it is trained, and the rows of its tables."""

    model: str
    training: str
    rows: int

    @property
    def name(self) -> str:
        return f"{_MODELS[self.model]}, {self.training}, {self.rows:,} rows"

    def bytes(self, dim: int) -> int:
        """Memory for the tables and what belongs to them."""
        return self.rows * 4 * (dim * _COPIES[self.training] + 1)


def measure(settings: VocabularySettings, say: Callable[[str], None]) -> Report:
    """Measures steps of models whose tables have more and more rows.

    Args:
        settings: `VocabularySettings`.
        say: function of a string. Told of the progress.

    Returns:
        `Report`.
    """
    machine = describe_machine()
    plans, notes = _fitting(settings)
    for note in notes:
        say(note)
    cases = []
    # The cases of one size read the same arrays.
    data: dict[int, tuple[Schema, Any]] = {}
    for plan in plans:
        if plan.rows not in data:
            schema = field_schema(plan.rows, settings.fields)
            data[plan.rows] = schema, _data(schema, settings)
        schema, batches = data[plan.rows]
        cases.append(_case(plan, schema, batches, settings))
    times = interleave(cases, settings.repeats, say)
    spreads = {plan: spread(times[plan.name]) for plan in plans}
    tables = [_table(name, spreads, times) for name in _MODELS]
    growth, lines = _growth(settings, plans, times)
    comparison, more = _comparison(plans, times)
    notes += lines + more
    memory: dict[str, Any] = {}
    if settings.memory and machine["accelerator"] is not None:
        notes.append("Memory was not measured: the tables lie elsewhere.")
    elif settings.memory:
        for name in _MODELS:
            memory[name] = _memory(name, settings, say)
        tables.append(_memory_table(memory))
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
        [_chart(name, spreads) for name in _MODELS],
    )


def memory_of_training(
    model: str, rows: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Trains by rows in this process, and returns the memory it took.

    Args:
        model: string. `"embedding"` or `"infnet"`.
        rows: integer. Rows of all tables.
        options: mapping. Settings of `VocabularySettings`, as plain values.

    Returns:
        Dict of bytes: `peak` of the whole process, and `step`, the peak of
        training after the tables were made, `None` where the system cannot
        say it.
    """
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in options.items()
    }
    settings = VocabularySettings(**plain)
    plan = _Plan(model, _ROWS, rows)
    schema = field_schema(rows, settings.fields)
    run = _case(plan, schema, _data(schema, settings), settings).run
    building = peak_memory()
    counted = reset_peak()
    for _ in range(2):
        run()
    step = peak_memory()
    return {"peak": max(building, step), "step": step if counted else None}


def _fitting(settings: VocabularySettings) -> tuple[list[_Plan], list[str]]:
    """All cases that fit in memory together, and a line for every other."""
    wanted = [
        _Plan(model, training, rows)
        for model in _MODELS
        for training, sizes in (
            (_ROWS, settings.rows),
            (_DENSE, settings.dense_rows),
            (_STOCK, settings.dense_rows if model == "embedding" else ()),
        )
        for rows in sizes
    ]
    # On an accelerator the tables lie there; it says so when it is full.
    free = None if accelerator() else available_memory()
    left = float("inf") if free is None else 0.8 * free
    plans, notes = [], []
    for plan in sorted(wanted, key=lambda plan: plan.bytes(settings.dim)):
        needed = plan.bytes(settings.dim)
        if needed > left:
            notes.append(
                f"Skipped: {plan.name} needs about {size(needed)}, of which "
                f"{size(left)} are left."
            )
            continue
        left -= needed
        plans.append(plan)
    return [plan for plan in wanted if plan in plans], notes


def _data(schema: Schema, settings: VocabularySettings) -> Any:
    return prepared(
        random_batches(
            schema, settings.batch_size, settings.steps, settings.zipf
        )
    )


def _case(
    plan: _Plan, schema: Schema, data: Any, settings: VocabularySettings
) -> Case:
    model = _model(plan, schema, settings)
    return Case(plan.name, lambda: step_seconds(model, data, settings.steps))


def _model(plan: _Plan, schema: Schema, settings: VocabularySettings) -> Any:
    dim, dtype = settings.dim, settings.dtype
    if plan.training == _STOCK:
        return stock_keras.embedding_only(schema, dim, dtype)
    if plan.model == "embedding":
        model: Any = EmbeddingOnly(schema, dim, dtype=dtype)
    else:
        model = INFNet.from_preset("small", schema, token_dim=dim, dtype=dtype)
    # The dense weights have the same optimiser in all cases.
    model.compile(
        optimizer=keras.optimizers.Adagrad(0.05),
        embedding_optimizer=RowwiseAdagrad(0.05)
        if plan.training == _ROWS
        else "dense",
        loss=task_losses(schema),
    )
    return model


# ------------------------------------------------------------------- results


def _table(
    model: str,
    spreads: Mapping[_Plan, Spread],
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
        f"Time of a step: {_MODELS[model]}",
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
    plans: Sequence[_Plan],
    times: Mapping[str, Sequence[float]],
) -> tuple[dict[str, Any], list[str]]:
    """Time by rows at the largest size over that at a hundred thousand."""
    results, lines = {}, []
    for model, title in _MODELS.items():
        by_rows = [
            plan
            for plan in plans
            if plan.model == model and plan.training == _ROWS
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
    plans: Sequence[_Plan], times: Mapping[str, Sequence[float]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Time of stock Keras over time by rows, where both were measured."""
    results, lines = [], []
    for plan in plans:
        ours = _Plan(plan.model, _ROWS, plan.rows)
        if plan.training == _ROWS or ours not in plans:
            continue
        found = ratios(times, plan.name, ours.name)
        results.append(
            {**dataclasses.asdict(plan), **dataclasses.asdict(found)}
        )
        middle, ends = quotient(found)
        lines.append(
            f"{_MODELS[plan.model]}, {plan.rows:,} rows: {plan.training} "
            f"takes {middle} times ({ends}) what training by rows takes."
        )
    return results, lines


def _chart(model: str, spreads: Mapping[_Plan, Spread]) -> Chart:
    lines: dict[str, list[tuple[float, float, Any]]] = {}
    for plan, found in spreads.items():
        if plan.model == model:
            ends = (1e3 * found.lower, 1e3 * found.upper)
            point = (float(plan.rows), 1e3 * found.median, ends)
            lines.setdefault(plan.training, []).append(point)
    return Chart(_MODELS[model], "rows of all tables", "ms a step", lines)


# -------------------------------------------------------------------- memory


def _memory(
    model: str, settings: VocabularySettings, say: Callable[[str], None]
) -> dict[str, Any]:
    few, many = settings.rows[0], settings.rows[-1]
    found = {}
    for rows in (few, many):
        say(f"memory: {_MODELS[model]}, {rows:,} rows")
        found[rows] = call_in_child(
            f"{__name__}:memory_of_training",
            {
                "model": model,
                "rows": rows,
                "options": dataclasses.asdict(settings),
            },
        )
    # The tables of the small model are part of what it needs.
    tables = _Plan(model, _ROWS, many).bytes(settings.dim)
    result: dict[str, Any] = {"few": few, "many": many, "tables": tables}
    for what in ("step", "peak"):
        small, large = found[few][what], found[many][what]
        result[what] = None
        if small is not None:
            result[what] = {
                "few": small,
                "many": large,
                "excess": large / (tables + small) - 1,
            }
    return result


def _memory_table(memory: Mapping[str, Any]) -> SectionTable:
    titles = {
        "step": "training",
        "peak": "with making the tables",
    }
    rows = []
    for model, found in memory.items():
        for what, title in titles.items():
            if found[what] is not None:
                rows.append(
                    [
                        _MODELS[model],
                        title,
                        size(found[what]["many"]),
                        size(found["tables"]),
                        size(found[what]["few"]),
                        percent(found[what]["excess"]),
                    ]
                )
    first = next(iter(memory.values()))
    return SectionTable(
        "Peak resident memory, by rows",
        [
            "model",
            "of",
            f"{first['many']:,} rows",
            "tables and accumulator",
            f"{first['few']:,} rows",
            "excess over the sum",
        ],
        rows,
    )
