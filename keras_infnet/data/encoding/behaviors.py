"""Events of behaviors: alignment, padding, time gaps."""

from collections.abc import Iterable, Mapping

import numpy as np

from keras_infnet.data.encoding.bins import gap_ids
from keras_infnet.data.encoding.cleaning import is_missing
from keras_infnet.data.sources.list_column import ListColumn

__all__ = ["align_events", "drop_padding", "gap_column"]

# Rows whose time gaps are computed at once.
_ROWS = 65_536


def align_events(
    behavior: str, columns: Mapping[str, ListColumn]
) -> dict[str, ListColumn]:
    """Gives all columns of a behavior equal `starts` and `ends`.

    Raises if the columns of a row differ in their number of events.
    """
    (name, first), *others = columns.items()
    lengths = first.lengths
    shared = True
    for other, column in others:
        different = column.lengths != lengths
        if different.any():
            row = int(np.argmax(different))
            raise ValueError(
                f"behavior {behavior!r}, row {row}: every attribute must have "
                f"as many events. Received: {int(lengths[row])} in {name!r}, "
                f"{int(column.lengths[row])} in {other!r}."
            )
        shared &= len(column.values) == len(first.values)
        shared &= np.array_equal(column.starts, first.starts)
        shared &= np.array_equal(column.ends, first.ends)
    if shared:
        return dict(columns)
    ends = np.cumsum(lengths)
    return {
        name: ListColumn(column.flatten(), ends - lengths, ends)
        for name, column in columns.items()
    }


def drop_padding(
    columns: dict[str, ListColumn], attributes: Iterable[str]
) -> dict[str, ListColumn]:
    """Drops the events of aligned columns whose attributes are all missing."""
    missing = [_missing(columns[name].values) for name in attributes]
    padding = np.logical_and.reduce(missing)
    if not padding.any():
        return columns
    kept = np.flatnonzero(~padding)
    before = np.concatenate([[0], np.cumsum(~padding)])
    return {
        name: ListColumn(
            column.values.take(kept),
            before[column.starts],
            before[column.ends],
        )
        for name, column in columns.items()
    }


def _missing(values: np.ndarray | ListColumn) -> np.ndarray:
    if not isinstance(values, ListColumn):
        return is_missing(values)
    # An event with several values is missing where each of them is.
    present = np.concatenate([[0], np.cumsum(~_missing(values.values))])
    return present[values.ends] == present[values.starts]


def gap_column(
    times: ListColumn, request: np.ndarray, unit: str
) -> tuple[ListColumn, int]:
    """Returns gap buckets and the number of events later than their request.

    A gap depends on event and request, so rows cannot share them: the column
    holds one integer for every event of every row.
    """
    lengths, later = times.lengths, 0
    ends = np.cumsum(lengths)
    gaps = np.empty(int(lengths.sum()), np.int32)
    for start in range(0, len(times), _ROWS):
        part = times[start : start + _ROWS]
        rows = np.repeat(request[start : start + _ROWS], part.lengths)
        first = int(ends[start] - lengths[start])
        events = part.flatten()
        gaps[first : first + len(rows)] = gap_ids(rows, events, unit)
        later += int(np.count_nonzero((events > rows) & (rows >= 0)))
    return ListColumn(gaps, ends - lengths, ends), later
