"""Conversion of rows in any form into the inputs of a request."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.cleaning import Place, times
from keras_infnet.data.encoding.fit_vocabularies import cleaned
from keras_infnet.data.encoding.nesting import arrange, map_values
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import Field, Numeric, Schema, nearest_name
from keras_infnet.schema.value_checks import check_count
from keras_infnet.serving.exporting.file_formats import check_can_export
from keras_infnet.serving.exporting.run_export import serialized_examples
from keras_infnet.serving.graph.signatures import (
    missing_value,
    required_inputs,
    shared_raw_inputs,
)

__all__ = [
    "Rows",
    "as_count",
    "complete_request",
    "ranking_request",
    "raw_request",
    "rows_to_table",
    "serialize_examples",
]

#: The forms in which callers may pass rows.
Rows = (
    Table
    | pd.DataFrame
    | Mapping[str, Any]
    | Sequence[Mapping[str, Any]]
    | str
    | bytes
)


def as_count(name: str, value: Any, minimum: int = 1) -> int:
    """Returns an integer, also of NumPy; raises if it is below `minimum`."""
    value = int(value) if isinstance(value, np.integer) else value
    check_count(value, f"`{name}`", minimum)
    return int(value)


def rows_to_table(
    rows: Rows, required: Collection[str] = (), what: str = "rows"
) -> Table:
    """Converts rows to a table.

    `rows` is a `Table`, a pandas frame, a list of dicts, one dict, or JSON
    text. Keys that a dict omits are missing values, like `None`, but dicts
    must have the keys in `required`. `what` names the rows in errors.

    >>> table = rows_to_table('[{"item": 3}, {"item": 4, "tags": [1, 2]}]')
    >>> table["item"].tolist(), table["tags"].to_lists()
    ([3, 4], [[], [1, 2]])
    """
    if isinstance(rows, Table):
        return rows
    if isinstance(rows, pd.DataFrame):
        return Table.from_pandas(rows)
    dicts = _dicts(rows, what)
    # In the order of their first appearance.
    names = list(dict.fromkeys(name for row in dicts for name in row))
    for index, row in enumerate(dicts):
        absent = [name for name in required if name not in row]
        if absent:
            raise ValueError(
                f"{what}, row {index} lacks the required {', '.join(absent)}. "
                f"Received: {', '.join(map(str, row))}. Use `None` for an "
                "unknown value."
            )
    if dicts and not names:
        raise ValueError(f"{what} have no columns. Received: {dicts[:3]}.")
    return Table(
        {
            name: _column([row.get(name) for row in dicts], f"{what}, {name!r}")
            for name in names
        }
    )


def _dicts(rows: Any, what: str) -> list[Mapping[str, Any]]:
    if isinstance(rows, (str, bytes)):
        try:
            rows = json.loads(rows)
        except ValueError as error:  # also raised for text that is not UTF-8
            raise ValueError(f"{what} are not JSON text: {error}.") from error
    if isinstance(rows, Mapping):
        rows = [rows]
    found = type(rows).__name__
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        others = {type(r).__name__ for r in rows if not isinstance(r, Mapping)}
        if not others:
            return list(rows)
        found += f" of {', '.join(sorted(others))}"
    raise ValueError(
        f"{what} must be a Table, a pandas frame, a list of dicts, one dict "
        f"for one row, or JSON text of these. Received: {found}."
    )


def _column(values: list[Any], what: str) -> Any:
    nested = any(isinstance(v, (list, tuple, np.ndarray)) for v in values)
    if not nested and any(value is None for value in values):
        # As objects, since floats would round large ids.
        column = np.empty(len(values), object)
        column[:] = values
        return column
    try:
        return Table({what: values})[what]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} holds text that cannot be encoded as UTF-8, half of a "
            f"pair of surrogates: {error}."
        ) from error


def raw_request(
    table: Table, schema: Schema, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Converts rows into the inputs of the signature of raw values.

    Makes the inputs in `names`, or all if it is `None`, except those that
    `table` does not have. Lists are padded at the end to the longest one.
    Raises `ValueError` if a required column is absent or a value does not fit
    its field.

    >>> from keras_infnet.schema import Behavior, Categorical, Task
    >>> schema = Schema(
    ...     [Categorical("item")], [Task("buy")], [Behavior("seen", ["item"])]
    ... )
    >>> table = Table(
    ...     {"item": [3, 4], "seen_item": ListColumn.from_lists([[7], [8, 9]])}
    ... )
    >>> raw_request(table, schema)["seen_item"].tolist()
    [[7, -1], [8, 9]]
    """
    specs = schema.raw_inputs
    names = specs.keys() if names is None else names
    required = [name for name in required_inputs(schema) if name in names]
    for name in required:
        if name not in table:
            raise ValueError(
                f"{nearest_name(name, table.columns, 'column')} Required "
                f"columns: {', '.join(required)}."
            )
    request = {}
    for name, (part, events) in _readers(schema).items():
        if name not in table or name not in names:
            continue
        place = Place(name)
        # Times are nested like any single-valued column.
        column = arrange(table[name], part or Numeric(name), place, events)
        if part is None:
            column = map_values(
                column, place, lambda v, p: times(v, schema.time_unit, p)
            )
        else:
            column = cleaned(part, column, place)
        fill = missing_value(specs[name]).item()
        request[name] = _padded(column, fill)
    return request


def ranking_request(
    request: Rows, candidates: Rows, schema: Schema
) -> tuple[dict[str, np.ndarray], int]:
    """Converts a request and its candidates into the inputs of `rank`.

    Returns all inputs, and the number of candidates, without which there are
    none. Columns of the other table are ignored. Raises `ValueError` if the
    request is not one row, a required column or every column of candidates is
    absent, or a value does not fit.
    """
    offered = schema.candidates
    if not offered:
        raise ValueError(
            "the model was exported without `candidates`, so that it cannot "
            "rank. Name the fields that describe a candidate and export it "
            "again, or use `predict`."
        )
    needed = required_inputs(schema)
    row = rows_to_table(
        request, [n for n in needed if n not in offered], "the request"
    )
    table = rows_to_table(
        candidates, [n for n in needed if n in offered], "candidates"
    )
    if not len(table):
        return {}, 0
    if len(row) != 1:
        raise ValueError(
            "the request must be one row, which all candidates share. "
            f"Received: {len(row)} rows."
        )
    if not any(name in table for name in offered):
        raise ValueError(
            f"candidates have none of the columns {', '.join(offered)}. "
            f"Received: {', '.join(table.columns) or 'no column'}."
        )
    shared = raw_request(row, schema, shared_raw_inputs(schema))
    own = raw_request(table, schema, offered)
    return complete_request({**shared, **own}, schema), len(table)


def complete_request(
    inputs: Mapping[str, Any], schema: Schema
) -> dict[str, Any]:
    """Adds one row of missing values for each raw input that is absent."""
    return {
        name: inputs.get(name, missing_value(spec))
        for name, spec in schema.raw_inputs.items()
    }


def _readers(schema: Schema) -> dict[str, tuple[Field | None, bool]]:
    """Returns the field of every raw input, and whether it has events."""
    readers: dict[str, tuple[Field | None, bool]] = {
        name: (part, behavior is not None)
        for name, part, behavior in schema.columns()
    }
    for behavior in schema.behaviors:
        if behavior.timed:
            readers[behavior.time_column] = (None, True)
    if schema.is_timed:
        readers[str(schema.request_time)] = (None, False)
    return readers


def _padded(column: Column, fill: object) -> np.ndarray:
    if not isinstance(column, ListColumn):
        return column
    lengths: tuple[int, ...] = ()
    level: Column = column
    while isinstance(level, ListColumn):
        lengths += (max(1, int(level.lengths.max(initial=0))),)
        level = level.values
    return column.pad(lengths if len(lengths) > 1 else lengths[0], fill)


def serialize_examples(
    table: Table | pd.DataFrame, schema: Schema
) -> list[bytes]:
    """Writes raw rows as serialized `tf.train.Example`s.

    The signature `serve_examples` takes them. Features are named as the
    columns. An attribute of events with several values is one flat list, and
    a feature with `_lengths` appended to its name holds the number of values
    of each event.

    Args:
        table: `keras_infnet.data.Table` or pandas frame, as for
            `Servable.predict_raw`.
        schema: `keras_infnet.schema.Schema`.

    Returns:
        List of bytes, one per row.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If a required column is absent, or a value does not fit
            its field.
    """
    check_can_export()
    if isinstance(table, pd.DataFrame):
        table = Table.from_pandas(table)
    return serialized_examples(raw_request(table, schema))
