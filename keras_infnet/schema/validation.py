"""Validation of a schema as a whole."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from keras_infnet.schema.behavior import Behavior
from keras_infnet.schema.fields import Categorical, Numeric, table_kind
from keras_infnet.schema.task import Task
from keras_infnet.schema.value_checks import (
    check_choice,
    check_count,
    check_name,
    check_types,
    check_unique,
    nearest_name,
)

if TYPE_CHECKING:
    from keras_infnet.schema.schema import Schema

__all__ = ["MILLISECONDS", "validate"]

#: Milliseconds of each unit of time.
MILLISECONDS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}


def validate(schema: "Schema") -> None:
    """Raises a `ValueError` for the first inconsistency."""
    check_types(schema.fields, (Categorical, Numeric), "fields")
    check_types(schema.behaviors, (Behavior,), "behaviors")
    check_types(schema.tasks, (Task,), "tasks")
    if not schema.fields:
        raise ValueError("a schema needs at least one field.")
    if not schema.tasks:
        raise ValueError("a schema needs at least one task.")
    check_choice(schema.time_unit, tuple(MILLISECONDS), "time_unit")
    if not isinstance(schema.fingerprint, str | None):
        raise ValueError(
            "fingerprint must be a string or None. Received: "
            f"fingerprint={schema.fingerprint!r}."
        )
    for column, what in (
        (schema.group, "group"),
        (schema.request_time, "request_time"),
    ):
        if column is not None:
            check_name(column, what)
    _validate_names(schema)
    _validate_tasks(schema)
    _validate_tables(schema)
    if schema.scenario is not None:
        scenario = schema.field(schema.scenario)
        if not isinstance(scenario, Categorical) or scenario.multivalued:
            raise ValueError(
                "scenario must name a single-valued Categorical. "
                f"Received: {schema.scenario!r}."
            )
    fields = [part.name for part in schema.fields]
    for name in schema.candidates:
        if name not in fields:
            raise ValueError(nearest_name(name, fields, "field in candidates"))
    if schema.is_timed and schema.request_time is None:
        timed = [b.name for b in schema.behaviors if b.timed]
        raise ValueError(
            f"behavior {timed[0]!r} is timed, so the schema needs "
            "request_time=, the column of the time of the request."
        )


def _validate_names(schema: "Schema") -> None:
    for parts, what in (
        (schema.fields, "fields"),
        (schema.behaviors, "behaviors"),
        (schema.tasks, "tasks"),
    ):
        check_unique([part.name for part in parts], what)
    names = [part.name for part in schema.fields]
    for behavior in schema.behaviors:
        names += behavior.inputs
        if behavior.timed:
            names.append(behavior.time_column)
    check_unique(names, "inputs (fields and behavior attributes)")
    for task in schema.tasks:
        if task.name in names:
            raise ValueError(
                f"{task.name!r} cannot name both a task and an input: both "
                "are names in the model. Rename the task and give its column "
                "with label=."
            )
    _check_case([*names, schema.request_time or ""], "inputs")
    _check_case(schema.task_names, "tasks")
    if schema.is_timed and schema.request_time in names:
        raise ValueError(
            f"{schema.request_time!r} cannot be both request_time and an "
            "input. Derive a field under another name."
        )


def _check_case(names: Iterable[str], what: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(
                f"{what} {other!r} and {name!r} differ in case alone, which "
                "TensorFlow refuses. Rename one of them."
            )


def _validate_tasks(schema: "Schema") -> None:
    for task in schema.tasks:
        if task.given is None:
            continue
        given = schema.task(task.given)
        if given.name == task.name or given.kind != "binary":
            raise ValueError(
                f"given= of task {task.name!r} must name another binary "
                f"task. Received: {task.given!r}."
            )
        seen = {task.name}
        while given.given is not None:
            if given.name in seen:
                raise ValueError(
                    f"given= of task {task.name!r} leads back to itself."
                )
            seen.add(given.name)
            given = schema.task(given.given)
    inputs = schema.raw_inputs
    for task in schema.tasks:
        if task.label_column in inputs:
            raise ValueError(
                f"column {task.label_column!r} is the label of task "
                f"{task.name!r} and an input: the model would see the "
                "answer. Remove the input."
            )


def _validate_tables(schema: "Schema") -> None:
    tables = schema.tables
    for name, parts in tables.items():
        kinds = {table_kind(part) for part in parts}
        if len(kinds) > 1:
            readers = ", ".join(part.name for part in parts)
            raise ValueError(
                f"fields that share table {name!r} ({readers}) must agree "
                "in class, dtype, hash_buckets, min_count, max_size, bins "
                "and binning."
            )
    for name, size in schema.table_sizes.items():
        if name not in tables:
            raise ValueError(nearest_name(name, tables, "table"))
        check_count(size, f"size of table {name!r}")
        fixed = tables[name][0].fixed_size
        if fixed is not None and fixed != size:
            raise ValueError(
                f"table {name!r} has {fixed} rows by its definition. "
                f"Received: table_sizes[{name!r}]={size}."
            )
