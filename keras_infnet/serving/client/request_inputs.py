"""Rows as callers have them, to the inputs of a request."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Schema
from keras_infnet.serving.graph.signatures import required_inputs
from keras_infnet.serving.request import raw_request

__all__ = [
    "Rows",
    "check_candidates",
    "rank_requests",
    "ranking_tables",
    "rows_to_table",
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
    """Makes a table of rows in whatever form.

    Args:
        rows: `keras_infnet.data.Table`, pandas frame, list of dicts of column
            to value, one such dict for one row, or JSON text of these. What a
            dict leaves out is missing, and so is `None`.
        required: names of the columns that every dict must have. Defaults to
            `()`.
        what: string. What errors call the rows. Defaults to `"rows"`.

    Returns:
        `keras_infnet.data.Table`.

    Raises:
        ValueError: If the rows are none of these, a dict lacks a column, or a
            column mixes types.

    Example:

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


def check_candidates(schema: Schema) -> None:
    """Refuses a schema that does not say what candidates are.

    Args:
        schema: `keras_infnet.schema.Schema`.

    Raises:
        ValueError: If its `candidates` are empty.
    """
    if not schema.candidates:
        raise ValueError(
            "the schema does not say what candidates are: its `candidates` "
            "are empty. Name the fields that tell what is on offer and "
            "export the model again, or use `predict`."
        )


def ranking_tables(
    request: Rows, candidates: Rows, schema: Schema
) -> tuple[Table, Table]:
    """Makes tables of a request and its candidates, in whatever form.

    Args:
        request: one row.
        candidates: rows, a row a candidate; an empty list has no column.
        schema: `keras_infnet.schema.Schema` with `candidates`.

    Returns:
        Pair of `keras_infnet.data.Table`.

    Raises:
        ValueError: If one is no rows, or a dict lacks a column.
    """
    required = required_inputs(schema)
    offered = schema.candidates
    return (
        rows_to_table(
            request, [n for n in required if n not in offered], "the request"
        ),
        rows_to_table(
            candidates, [n for n in required if n in offered], "candidates"
        ),
    )


def rank_requests(
    request: Table, candidates: Table, schema: Schema
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Splits a request and its candidates into inputs of the signature.

    Args:
        request: `keras_infnet.data.Table` of one row. Columns of candidates
            in it are ignored.
        candidates: `keras_infnet.data.Table`, a row a candidate. Other
            columns are ignored.
        schema: `keras_infnet.schema.Schema` with `candidates`.

    Returns:
        Dict of the shared inputs, of one row, and dict of the others, of a
        row a candidate.

    Raises:
        ValueError: If the schema names no candidates, a required column is
            absent, the request is not one row, or a value does not fit.
    """
    check_candidates(schema)
    if len(request) != 1:
        raise ValueError(
            "a request is one row, shared by all candidates. Received: "
            f"{len(request)} rows."
        )
    own = set(schema.candidates)
    shared = set(schema.raw_inputs) - own
    offered = _inputs(candidates, schema, own, "candidates")
    if not offered:
        raise ValueError(
            f"candidates have none of the columns {', '.join(sorted(own))}. "
            f"Received: {', '.join(candidates.columns)}."
        )
    return _inputs(request, schema, shared, "the request"), offered


def _inputs(
    table: Table, schema: Schema, names: set[str], what: str
) -> dict[str, np.ndarray]:
    required = required_inputs(schema)
    absent = [n for n in required if n in names and n not in table]
    if absent:
        raise ValueError(
            f"{what} must have the columns {', '.join(absent)}. Received: "
            f"{', '.join(table.columns)}."
        )
    return raw_request(table, schema, names)
