"""Splits by time."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.sources.table import Table, as_table

__all__ = ["split_by_time"]


def split_by_time(
    table: Table, column: str, boundaries: Iterable[Any]
) -> list[Table]:
    """Cuts a table into consecutive periods.

    `n` boundaries make `n + 1` half-open parts: the first holds the rows
    before the first boundary, the next one those from it (included) to the
    second (excluded), and so on. No row is lost, and the order of the rows
    within a part is kept.

    Args:
        table: `Table`.
        column: string. Column of the time or date: numbers, datetimes, or
            text that sorts by time, such as `"2022-04-25"`.
        boundaries: list of times like those of the column, ascending.

    Returns:
        List of `Table`, the earliest first.

    Raises:
        TypeError: If `table` is not a `Table`.
        ValueError: If the boundaries are not ascending or their type does not
            fit the column, if a time is missing, or if a part would be empty.

    Example:

    >>> table = Table({"day": np.array([3, 1, 2, 1])})
    >>> [part["day"].tolist() for part in split_by_time(table, "day", [2, 3])]
    [[1, 1], [2], [3]]
    """
    table = as_table(table, "the table")
    times = table[column]
    limits = list(boundaries)
    if not limits:
        raise ValueError("boundaries must hold at least one time.")
    if not isinstance(times, np.ndarray):
        raise ValueError(
            f"column {column!r} must hold one time a row. Received: {times!r}."
        )
    missing = pd.isna(times)
    if missing.any():
        raise ValueError(
            f"column {column!r} has no time in row {int(np.argmax(missing))}. "
            "Drop the row: it belongs to no period."
        )
    cuts = _like(limits, times, column)
    for earlier, later in zip(cuts[:-1], cuts[1:], strict=True):
        if not earlier < later:
            raise ValueError(
                f"boundaries must rise. Received: {earlier} before {later}."
            )
    numbers = np.searchsorted(cuts, times, side="right")
    parts = [table.filter(numbers == i) for i in range(len(cuts) + 1)]
    for i, part in enumerate(parts):
        if not len(part):
            start = f"from {cuts[i - 1]}" if i else "before the first boundary"
            stop = f" to before {cuts[i]}" if i < len(cuts) else " on"
            span = f"{times.min()} to {times.max()}" if len(times) else "none"
            raise ValueError(
                f"no row has {column!r} {start}{stop if i else ''}, so a "
                f"part would be empty. Times of the table: {span}."
            )
    return parts


def _like(limits: list[Any], times: np.ndarray, column: str) -> np.ndarray:
    """Returns the boundaries as an array comparable with the times."""
    if times.dtype.kind == "M":
        # Keep their unit: beside dates, noon must not become midnight.
        return np.array([_datetime(limit, column) for limit in limits])
    text = times.dtype.kind == "O"
    for limit in limits:
        number = isinstance(limit, (int, float, np.integer, np.floating))
        if isinstance(limit, str) != text or not (text or number):
            kind = "text" if text else "numbers"
            raise ValueError(
                f"column {column!r} holds {kind}, so boundaries must too. "
                f"Received: {limit!r}."
            )
    return np.array(limits, dtype=object if text else None)


def _datetime(limit: Any, column: str) -> Any:
    moment = np.datetime64("NaT")
    if not isinstance(limit, (int, float, np.integer, np.floating)):
        try:
            moment = np.datetime64(limit)
        except (TypeError, ValueError):
            pass  # raised below
    if np.isnat(moment):
        raise ValueError(
            f"column {column!r} holds datetimes, so boundaries must be "
            "datetimes or text such as '2022-05-01'. Received: "
            f"{limit!r}."
        )
    return moment
