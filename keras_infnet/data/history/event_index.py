"""Index of the events of an entity strictly before a time.

Sequences and point-in-time statistics both need it. The events are a range of
positions in the log sorted by entity and time, found by one binary search per
row.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.cleaning import Place, integer_ids
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import nearest_name

__all__ = [
    "MISSING",
    "EventIndex",
    "entity_codes",
    "event_times",
    "integers",
    "require_columns",
    "row_times",
]

#: Code of a missing entity, and of an unknown time.
MISSING = -1


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


def require_columns(table: Table, names: Sequence[str], what: str) -> None:
    """Raises a `ValueError` for the first column that a table lacks."""
    for name in names:
        if name not in table:
            raise ValueError(
                f"{what}: {nearest_name(name, table.columns, 'column')}"
            )


def integers(values: np.ndarray, name: str, what: str) -> np.ndarray:
    """Returns a column as int64, with -1 where a value is missing."""
    _check_single(values, name, what)
    try:
        return integer_ids(values, Place(name), "a column of integers")
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def _check_single(values: object, name: str, what: str) -> None:
    if not isinstance(values, np.ndarray):
        raise ValueError(
            f"{what}: column {name!r} must hold one value a row. Received a "
            "column of lists."
        )


def entity_codes(columns: Sequence[np.ndarray], name: str) -> list[np.ndarray]:
    """Numbers the distinct values of one column of several tables.

    Missing ones (negative, NaN, `None`, `""`) have the code -1.
    """
    for column in columns:
        _check_single(column, name, "the tables")
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


def row_times(rows: Table, name: str, what: str = "the rows") -> np.ndarray:
    """Returns the time of every row as int64; raises if one is missing."""
    times = integers(rows[name], name, what)
    if (times < 0).any():
        row = int(np.argmax(times < 0))
        raise ValueError(
            f"{what}: column {name!r} has no time (missing or negative) in "
            f"row {row}. Drop the row: without a time nothing can be said "
            "to come before it."
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
