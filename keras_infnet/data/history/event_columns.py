"""Checked columns of rows and event logs."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_infnet.data.encoding.cleaning import Place, integer_ids
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import nearest_name

__all__ = [
    "MISSING",
    "check_distinct",
    "check_new",
    "check_single",
    "event_times",
    "integers",
    "require_columns",
    "row_times",
]

#: Code of a missing entity, and of an unknown time.
MISSING = -1


def check_distinct(names: Iterable[str], advice: str) -> None:
    """Raises a `ValueError` if two new columns have the same name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"two of the columns to be added would be named {name!r}. "
                f"{advice}"
            )
        seen.add(name)


def check_new(names: Iterable[str], rows: Table, advice: str) -> None:
    """Raises a `ValueError` if a new column already exists."""
    for name in names:
        if name in rows:
            raise ValueError(
                f"the rows already have a column {name!r}, which would be "
                f"replaced. {advice}, or drop the column first: "
                f"`rows.without([{name!r}])`."
            )


def require_columns(table: Table, names: Sequence[str], what: str) -> None:
    """Raises a `ValueError` for the first column that a table lacks."""
    for name in names:
        if name not in table:
            raise ValueError(
                f"{what}: {nearest_name(name, table.columns, 'column')}"
            )


def integers(values: np.ndarray, name: str, what: str) -> np.ndarray:
    """Returns a column as int64, with -1 where a value is missing."""
    check_single(values, name, what)
    try:
        return integer_ids(values, Place(name), "a column of integers")
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def check_single(values: object, name: str, what: str) -> None:
    """Raises a `ValueError` for a column of lists."""
    if not isinstance(values, np.ndarray):
        raise ValueError(
            f"{what}: column {name!r} must hold one value a row. Received a "
            "column of lists."
        )


def row_times(rows: Table, name: str, what: str = "the rows") -> np.ndarray:
    """Returns the time of every row as int64; raises if one is missing."""
    times = integers(rows[name], name, what)
    if (times < 0).any():
        row = int(np.argmax(times < 0))
        raise ValueError(
            f"{what}: column {name!r} has no time (missing or negative) in "
            f"row {row}. Drop the row: without a time its earlier events "
            "are unknown."
        )
    return times


def event_times(events: Table, name: str, what: str, known: bool) -> np.ndarray:
    """Returns the time of every event as int64, -1 where unknown.

    With `known=True` a missing time raises: that event would be visible to
    every row.
    """
    if known:
        return row_times(events, name, what)
    if name not in events:
        return np.full(len(events), MISSING, np.int64)
    return integers(events[name], name, what)
