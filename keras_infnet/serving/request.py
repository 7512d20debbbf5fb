"""Rows as callers have them, to the inputs of a request.

`rows_to_table` takes rows in any form, `raw_request` makes the inputs of one
signature, `ranking_request` those of a request and its candidates. `Servable`
and `Client` do no more than send them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.cleaning import Place, times
from keras_infnet.data.encoding.fit_vocabularies import cleaned
from keras_infnet.data.encoding.nesting import arrange, map_values
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import Field, Numeric, Schema, nearest_name
from keras_infnet.serving.exporting.file_formats import check_can_export
from keras_infnet.serving.exporting.run_export import serialized_examples
from keras_infnet.serving.graph.signatures import (
    missing_value,
    required_inputs,
    shared_raw_inputs,
)

__all__ = [
    "RankingRequest",
    "Rows",
    "as_arrays",
    "check_candidates",
    "check_text",
    "complete_request",
    "ranking_request",
    "raw_request",
    "rows_to_table",
    "serialize_examples",
]

#: Rows as callers have them.
Rows = (
    Table
    | pd.DataFrame
    | Mapping[str, Any]
    | Sequence[Mapping[str, Any]]
    | str
    | bytes
)


def rows_to_table(
    rows: Rows, required: Collection[str] = (), what: str = "rows"
) -> Table:
    """Makes a table of rows in any form.

    What a dict leaves out is missing, and so is `None`, but it must name the
    columns in `required`. Errors call the rows `what`.

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
                f"{what}, row {index}: {', '.join(absent)} must be there. "
                f"Received: {', '.join(map(str, row))}. Give `None` for what "
                "is not known."
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
        rows = _parsed(rows, what)
    if isinstance(rows, Mapping):
        rows = [rows]
    kinds = None
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        kinds = sorted({type(r).__name__ for r in rows if not _is_row(r)})
        if not kinds:
            return list(rows)
    raise ValueError(
        f"{what} must be a Table, a pandas frame, a list of dicts, one dict "
        "for one row, or JSON text of these. Received: "
        f"{type(rows).__name__}{' of ' + ', '.join(kinds) if kinds else ''}."
    )


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping)


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:  # among them text that is not UTF-8
        raise ValueError(f"{what} are no JSON text: {error}.") from error


def _column(values: list[Any], what: str) -> Any:
    nested = any(isinstance(v, (list, tuple, np.ndarray)) for v in values)
    if not nested and any(value is None for value in values):
        # As objects: large ids beside a missing one keep their digits.
        column = np.empty(len(values), object)
        column[:] = values
        return column
    try:
        return Table({what: values})[what]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} holds text that UTF-8 cannot express: half of a pair of "
            f"surrogates. {error}."
        ) from error


def raw_request(
    table: Table, schema: Schema, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Turns rows into the inputs of the signature of raw values.

    Inputs that `table` does not have are left out; lists are padded at the end
    to the longest of the table. `names` are the inputs that are made, `None`
    for all. Raises `ValueError` if a required column is absent, or a value
    does not fit its field.

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
                f"{nearest_name(name, table.columns, 'column')} Every row "
                "needs the single-valued categorical fields: "
                f"{', '.join(required)}."
            )
    request = {}
    for name, (part, events) in _readers(schema).items():
        if name not in table or name not in names:
            continue
        place = Place(name)
        column = table[name]
        if part is None:
            column = _times(column, schema.time_unit, place, events)
        else:
            column = arrange(column, part, place, events)
            column = cleaned(part, column, place)
        fill = missing_value(specs[name]).item()
        request[name] = _padded(column, fill)
    return request


class RankingRequest(NamedTuple):
    """Inputs of `rank`: of one row, and of a row a candidate."""

    shared: dict[str, np.ndarray]
    own: dict[str, np.ndarray]
    candidates: int


def ranking_request(
    request: Rows, candidates: Rows, schema: Schema
) -> RankingRequest:
    """Turns a request and its candidates into the inputs of `rank`.

    Columns of the other table are ignored. Without candidates there are no
    inputs. Raises `ValueError` if the request is not one row, a required
    column or every column of candidates is absent, or a value does not fit.
    """
    check_candidates(schema)
    offered = schema.candidates
    needed = required_inputs(schema)
    row = rows_to_table(
        request, [n for n in needed if n not in offered], "the request"
    )
    table = rows_to_table(
        candidates, [n for n in needed if n in offered], "candidates"
    )
    if not len(table):
        return RankingRequest({}, {}, 0)
    if len(row) != 1:
        raise ValueError(
            "a request is one row, shared by all candidates. Received: "
            f"{len(row)} rows."
        )
    if not any(name in table for name in offered):
        raise ValueError(
            f"candidates have none of the columns {', '.join(offered)}. "
            f"Received: {', '.join(table.columns) or 'no column'}."
        )
    return RankingRequest(
        raw_request(row, schema, shared_raw_inputs(schema)),
        raw_request(table, schema, offered),
        len(table),
    )


def check_candidates(schema: Schema) -> None:
    """Raises `ValueError` where a schema does not say what candidates are."""
    if not schema.candidates:
        raise ValueError(
            "the model was exported without candidates: the `candidates` of "
            "its schema are empty. Name the fields that tell what is on offer "
            "and export it again, or use `predict`."
        )


def complete_request(
    inputs: Mapping[str, Any], schema: Schema
) -> dict[str, Any]:
    """Adds one row of missing values for each raw input that is left out."""
    return {
        name: inputs.get(name, missing_value(spec))
        for name, spec in schema.raw_inputs.items()
    }


def _readers(schema: Schema) -> dict[str, tuple[Field | None, bool]]:
    """The field of every raw input, and whether it tells of events."""
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


def _times(column: Column, unit: str, place: Place, events: bool) -> Column:
    # Times are laid out as any single-valued column.
    column = arrange(column, Numeric(place.column), place, events)
    return map_values(column, place, lambda v, p: times(v, unit, p))


def _padded(column: Column, fill: object) -> np.ndarray:
    if not isinstance(column, ListColumn):
        return column
    lengths: tuple[int, ...] = ()
    level: Column = column
    while isinstance(level, ListColumn):
        lengths += (max(1, int(level.lengths.max(initial=0))),)
        level = level.values
    return column.pad(lengths if len(lengths) > 1 else lengths[0], fill)


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    r"""Makes arrays of inputs as they are.

    Text and bytes become objects.

    >>> as_arrays({"inputs": [b"a\0"]})["inputs"].tolist()
    [b'a\x00']
    """
    arrays = {}
    for name, value in inputs.items():
        array = np.asarray(value)
        if array.dtype.kind in "SU":
            # Those kinds of array drop zeros at the end.
            array = np.array(value, object)
        arrays[name] = array
    return arrays


def check_text(inputs: Mapping[str, Any]) -> None:
    """Raises `ValueError` for text that cannot be encoded as UTF-8."""
    for name, array in inputs.items():
        if np.asarray(array).dtype.kind not in "OU":
            continue
        for value in np.ravel(array):
            try:
                if isinstance(value, str):
                    value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"input {name!r}: {value!r} is text that UTF-8 cannot "
                    f"express. {error}."
                ) from error


def serialize_examples(
    table: Table | pd.DataFrame, schema: Schema
) -> list[bytes]:
    """Writes raw rows as serialized `tf.train.Example`s.

    They are what the signature `serve_examples` takes. Features are named as
    the columns. An attribute of events with several values is one list, and
    a feature with `_lengths` behind its name holds how many values belong to
    each event.

    Args:
        table: `keras_infnet.data.Table` or pandas frame, as for
            `Servable.predict_raw`.
        schema: `keras_infnet.schema.Schema`.

    Returns:
        List of bytes, one a row.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If a required column is absent, or a value does not fit
            its field.
    """
    check_can_export()
    if isinstance(table, pd.DataFrame):
        table = Table.from_pandas(table)
    return serialized_examples(raw_request(table, schema))
