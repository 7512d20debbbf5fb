"""Events by entity and time.

Sequences and point-in-time statistics both search for the events of an entity
strictly before a time. These are a range of positions in the log sorted by
entity and time, found by one binary search per row.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keras_infnet.data.history.event_columns import (
    MISSING,
    check_single,
    integers,
)
from keras_infnet.data.sources.table import ListColumn, Table

__all__ = [
    "Entity",
    "EventIndex",
    "entity_codes",
    "entity_name",
    "occurrences",
]

#: A column, or the columns that identify an entity together.
Entity = str | tuple[str, ...]

Occurrences = tuple[np.ndarray, np.ndarray]


class EventIndex:
    """Events sorted by entity and time.

    Events with the same entity and time keep their order. Events of a missing
    entity (a negative code) are left out. A negative time is unknown: such
    events come before all others.
    """

    def __init__(self, entities: np.ndarray, times: np.ndarray) -> None:
        times = np.maximum(times, MISSING)
        self._instants, ranks = np.unique(times, return_inverse=True)
        # One more than the ranks, so that "after the last" fits in too.
        self._stride = len(self._instants) + 1
        keys = entities.astype(np.int64) * self._stride + ranks
        known = np.flatnonzero(entities >= 0)
        #: Positions of the events in the log, by entity and time.
        self.order = known[np.argsort(keys[known], kind="stable")]
        self._keys = keys[self.order]

    def before(
        self, entities: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Finds the events of an entity with a strictly smaller time.

        The events of row `i` are `order[starts[i]:ends[i]]`, oldest first.
        """
        first = entities.astype(np.int64) * self._stride
        ranks = np.searchsorted(self._instants, times, side="left")
        starts = np.searchsorted(self._keys, first, side="left")
        ends = np.searchsorted(self._keys, first + ranks, side="left")
        return starts, np.where(entities >= 0, ends, starts)


def entity_codes(columns: Sequence[np.ndarray], name: str) -> list[np.ndarray]:
    """Numbers the distinct values of one column of several tables.

    Missing ones (negative, NaN, `None`, `""`) have the code -1.
    """
    for column in columns:
        check_single(column, name, "the tables")
    filled = [column for column in columns if len(column)]
    if any(column.dtype.kind == "O" for column in filled):
        # A column without any value is read as NaN.
        filled = [_text_if_missing(column) for column in filled]
    text = [column.dtype.kind == "O" for column in filled]
    if any(text) and not all(text):
        kinds = ", ".join(str(column.dtype) for column in columns)
        raise ValueError(
            f"column {name!r} holds text in one table and numbers in another "
            f"(dtypes {kinds}). Convert one of them."
        )
    if not any(text):
        joined = np.concatenate(
            [integers(c, name, "the tables") for c in filled]
            or [np.zeros(0, np.int64)]
        )
        missing = joined < 0
    else:
        joined = np.concatenate(filled)
        missing = pd.isna(joined) | (joined == "")
    codes = pd.factorize(joined)[0].astype(np.int64)
    codes[missing] = MISSING
    # A missing value that came first leaves code 0 unused: codes need not be
    # consecutive.
    return np.split(codes, np.cumsum([len(c) for c in columns])[:-1])


def _text_if_missing(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind == "f" and np.isnan(column).all():
        return np.full(len(column), None, dtype=object)
    return column


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
    """Returns the flat values of a column in each table, and their rows.

    The rows are `None` if the column has one value per row.
    """
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
