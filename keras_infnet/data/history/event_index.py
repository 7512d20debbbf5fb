"""Which events of an entity came strictly before a moment.

Sequences and point-in-time statistics ask the same question of an event log.
The answer is a range of positions in the log sorted by entity and time, found
by one binary search a row.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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

#: Integer code of a missing entity, and a time that is not known.
MISSING = -1

_INT64_END = 2.0**63


class EventIndex:
    """Events sorted by entity and time.

    Events of one entity and one time keep their order. Events of a missing
    entity (a negative code) are left out.

    Args:
        entities: integer array of shape `(events,)`. Codes of the entities.
        times: integer array of shape `(events,)`. Negative means that the
            time is not known: such an event comes before all others.

    Example:

    >>> index = EventIndex(np.array([7, 7, 3]), np.array([20, 10, 15]))
    >>> index.order.tolist()
    [2, 1, 0]
    >>> starts, ends = index.before(np.array([7]), np.array([20]))
    >>> index.order[starts[0] : ends[0]].tolist()
    [1]
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
        """Finds the events of an entity before a time.

        Args:
            entities: integer array of shape `(rows,)`. Negative codes have no
                events.
            times: integer array of shape `(rows,)`. Only events with a
                strictly smaller time are found.

        Returns:
            Two integer arrays of shape `(rows,)`: the events of row `i` are
            `order[starts[i]:ends[i]]`, the oldest first.
        """
        first = entities.astype(np.int64) * self._stride
        ranks = np.searchsorted(self._instants, times, side="left")
        starts = np.searchsorted(self._keys, first, side="left")
        ends = np.searchsorted(self._keys, first + ranks, side="left")
        return starts, np.where(entities >= 0, ends, starts)


def require_columns(table: Table, names: Sequence[str], what: str) -> None:
    """Raises a `ValueError` for the first column that a table lacks.

    Args:
        table: a `Table`.
        names: list of strings. The columns needed.
        what: string. What the table is, for example `"the event log"`.

    Raises:
        ValueError: If a column is missing.
    """
    for name in names:
        if name not in table:
            raise ValueError(
                f"{what}: {nearest_name(name, table.columns, 'column')}"
            )


def integers(values: np.ndarray, name: str, what: str) -> np.ndarray:
    """Returns a column as int64, with -1 where a value is missing.

    Args:
        values: array of shape `(rows,)` of integers, booleans, or floats that
            hold integers and NaN.
        name: string. The column, for the error.
        what: string. The table, for the error.

    Returns:
        Array of int64 of shape `(rows,)`.

    Raises:
        ValueError: If a value is no integer or does not fit int64.

    Example:

    >>> integers(np.array([3.0, np.nan]), "user_id", "the rows").tolist()
    [3, -1]
    """
    _check_single(values, name, what)
    if values.dtype.kind == "u":
        wrong = values > np.iinfo(np.int64).max
        _check_fits(values, wrong, name, what)
    if values.dtype.kind in "iub":
        return np.maximum(values.astype(np.int64), MISSING)
    if values.dtype.kind != "f":
        raise ValueError(
            f"{what}: column {name!r} must hold integers. Received: dtype "
            f"{values.dtype}. Convert it first."
        )
    missing = np.isnan(values)
    wrong = ~missing & (values != np.floor(values)) | np.isinf(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: column {name!r} must hold integers. Received: "
            f"{values[row]} in row {row}."
        )
    _check_fits(values, np.abs(values) >= _INT64_END, name, what)
    filled = np.where(missing, MISSING, values).astype(np.int64)
    return np.maximum(filled, MISSING)


def _check_single(values: object, name: str, what: str) -> None:
    if not isinstance(values, np.ndarray):
        raise ValueError(
            f"{what}: column {name!r} must hold one value a row. Received a "
            "column of lists."
        )


def _check_fits(
    values: np.ndarray, wrong: np.ndarray, name: str, what: str
) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: column {name!r} must hold integers that fit a signed "
            f"64-bit integer. Received: {values[row]} in row {row}. Convert "
            "ids to text, or number them anew."
        )


def entity_codes(columns: Sequence[np.ndarray], name: str) -> list[np.ndarray]:
    """Numbers the distinct values of one column of several tables.

    Args:
        columns: list of arrays, one a table, all of integers or all of text.
            Negative integers, NaN, `None` and `""` are missing.
        name: string. The column, for the error.

    Returns:
        List of int64 arrays, one a table: equal values have equal codes from
        0 on, missing ones -1.

    Raises:
        ValueError: If one table holds integers and another one text, or if
            there are lists.

    Example:

    >>> entity_codes([np.array([50, 9]), np.array([-1, 50])], "user_id")
    [array([0, 1]), array([-1,  0])]
    """
    for column in columns:
        _check_single(column, name, "the tables")
    filled = [column for column in columns if len(column)]
    if any(column.dtype.kind == "O" for column in filled):
        # Nothing but NaN is what a column without any value reads as.
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
    # A missing value that came first would have taken code 0: no harm, codes
    # need not be consecutive.
    return np.split(codes, np.cumsum([len(c) for c in columns])[:-1])


def _text_if_missing(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind == "f" and np.isnan(column).all():
        return np.full(len(column), None, dtype=object)
    return column


def row_times(rows: Table, name: str, what: str = "the rows") -> np.ndarray:
    """Returns the time of every row as int64.

    Raises:
        ValueError: If a row has no time.
    """
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
    """Returns the time of every event as int64, -1 where it is not known.

    Args:
        events: `Table`.
        name: string. Column of the time. A table without it has no times.
        what: string. The table, for the error.
        known: boolean. Whether a missing time is an error: an event without
            a time is visible to all rows, so a log must have all of them.

    Returns:
        Array of int64 of shape `(events,)`.

    Raises:
        ValueError: If a time is missing that has to be known.
    """
    if known:
        return row_times(events, name, what)
    if name not in events:
        return np.full(len(events), MISSING, np.int64)
    return integers(events[name], name, what)
