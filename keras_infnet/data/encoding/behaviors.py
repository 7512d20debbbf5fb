"""Events of behaviors: alignment, padding, truncation, time gaps."""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_infnet.data.encoding.bins import gap_ids
from keras_infnet.data.encoding.cleaning import is_missing
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.schema.behavior import sequence_column

__all__ = ["History", "gap_column"]

# Rows whose time gaps are computed at once.
_ROWS = 65_536


@dataclasses.dataclass(frozen=True)
class History:
    """Cleaned columns of the events of one behavior, and their times."""

    behavior: str
    attributes: dict[str, ListColumn]
    times: ListColumn | None = None

    @property
    def columns(self) -> dict[str, ListColumn]:
        """All columns, the times last."""
        if self.times is None:
            return self.attributes
        return {
            **self.attributes,
            sequence_column(self.behavior, "time"): self.times,
        }

    def aligned(self) -> "History":
        """Gives all columns equal `starts` and `ends`.

        Raises if the columns of a row differ in their number of events.
        """
        (name, first), *others = self.columns.items()
        lengths = first.lengths
        shared = True
        for other, column in others:
            different = column.lengths != lengths
            if different.any():
                row = int(np.argmax(different))
                raise ValueError(
                    f"behavior {self.behavior!r}, row {row}: every attribute "
                    "must have as many events. Received: "
                    f"{int(lengths[row])} in {name!r}, "
                    f"{int(column.lengths[row])} in {other!r}."
                )
            shared &= len(column.values) == len(first.values)
            shared &= np.array_equal(column.starts, first.starts)
            shared &= np.array_equal(column.ends, first.ends)
        if shared:
            return self
        ends = np.cumsum(lengths)
        starts = ends - lengths
        return self._replace(
            lambda column: ListColumn(column.flatten(), starts, ends)
        )

    def without_padding(self) -> "History":
        """Drops events whose attributes are all missing."""
        missing = [_missing(c.values) for c in self.attributes.values()]
        padding = np.logical_and.reduce(missing)
        if not padding.any():
            return self
        kept = np.flatnonzero(~padding)
        before = np.concatenate([[0], np.cumsum(~padding)])
        return self._replace(
            lambda column: ListColumn(
                column.values.take(kept),
                before[column.starts],
                before[column.ends],
            )
        )

    def newest(self, max_length: int) -> "History":
        """Keeps the newest events of every row."""
        return self._replace(lambda column: column.newest(max_length))

    def num_longer(self, max_length: int) -> int:
        """Counts the rows with more events than `max_length`."""
        first = next(iter(self.attributes.values()))
        return int(np.count_nonzero(first.lengths > max_length))

    def _replace(
        self, function: Callable[[ListColumn], ListColumn]
    ) -> "History":
        times = None if self.times is None else function(self.times)
        changed = {n: function(c) for n, c in self.attributes.items()}
        return History(self.behavior, changed, times)


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
