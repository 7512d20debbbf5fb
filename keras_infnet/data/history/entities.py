"""Entities of rows and events."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keras_infnet.data.history.event_index import MISSING, entity_codes
from keras_infnet.data.sources.table import ListColumn, Table

__all__ = ["Entity", "entity_name", "occurrences"]

#: A column, or the columns that identify an entity together.
Entity = str | tuple[str, ...]

Occurrences = tuple[np.ndarray, np.ndarray]


def entity_name(entity: Sequence[str]) -> str:
    """Joins the columns of an entity into a name, such as `"user_x_tag"`."""
    return "_x_".join(entity)


def occurrences(
    entity: Sequence[str], rows: Table, logs: Sequence[Table]
) -> tuple[Occurrences, Occurrences]:
    """Lists the entities of every row and of every event.

    Returns positions and codes for the rows, then for the events of all logs
    in order. With a multi-valued column (at most one) a row has one entity
    per value. Missing entities are left out; a column that a log lacks counts
    as missing.
    """
    tables = [rows, *logs]
    owners = [np.arange(len(table)) for table in tables]
    codes = [np.zeros(len(table), np.int64) for table in tables]
    lists = None
    for name in entity:
        values, spread = _values(tables, name)
        numbers = entity_codes(values, name)
        if spread is None:
            numbers = [n[o] for n, o in zip(numbers, owners, strict=True)]
        else:
            if lists is not None:
                raise ValueError(
                    "an entity can have one multi-valued column. Received: "
                    f"{lists!r} and {name!r} in {tuple(entity)!r}."
                )
            lists = name
            codes = [c[s] for c, s in zip(codes, spread, strict=True)]
            owners = spread
        codes = _combine(codes, numbers)
    known = [np.flatnonzero(code >= 0) for code in codes]
    owners = [o[k] for o, k in zip(owners, known, strict=True)]
    codes = [c[k] for c, k in zip(codes, known, strict=True)]
    shifts = np.cumsum([0, *(len(log) for log in logs)])
    events = [
        o + shift for o, shift in zip(owners[1:], shifts[:-1], strict=True)
    ]
    return (
        (owners[0], codes[0]),
        (np.concatenate(events), np.concatenate(codes[1:])),
    )


def _values(
    tables: Sequence[Table], name: str
) -> tuple[list[np.ndarray], list[np.ndarray] | None]:
    """Returns the flat values of a column per table and their rows."""
    columns = [table[name] if name in table else None for table in tables]
    multivalued = any(isinstance(c, ListColumn) for c in columns)
    values, owners = [], []
    for table, column in zip(tables, columns, strict=True):
        rows = np.arange(len(table))
        if column is None:
            column = np.full(len(table), np.nan)
        elif isinstance(column, ListColumn):
            rows = np.repeat(rows, column.lengths)
            column = column.flatten()
            if isinstance(column, ListColumn):
                raise ValueError(
                    f"column {name!r} holds lists of lists and cannot name "
                    "an entity."
                )
        values.append(column)
        owners.append(rows)
    return values, owners if multivalued else None


def _combine(
    codes: list[np.ndarray], numbers: list[np.ndarray]
) -> list[np.ndarray]:
    """Numbers the pairs of two codes of several tables; -1 if missing."""
    left, right = np.concatenate(codes), np.concatenate(numbers)
    pairs = left * (int(right.max(initial=0)) + 1) + right
    pairs[(left < 0) | (right < 0)] = MISSING
    # Renumbered, so that products of many columns stay small.
    dense = pd.factorize(pairs)[0].astype(np.int64)
    dense[pairs < 0] = MISSING
    return np.split(dense, np.cumsum([len(c) for c in codes])[:-1])
