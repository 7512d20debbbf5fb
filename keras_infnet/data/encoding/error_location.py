"""Where a value stands, for error messages."""

import dataclasses

import numpy as np

from keras_infnet.data.sources.list_column import ListColumn

__all__ = ["Place"]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where values come from, for error messages.

    Args:
        column: string. Name of the column.
        parents: the list columns that hold the values, the outermost first.
            Defaults to `()`.
    """

    column: str
    parents: tuple[ListColumn, ...] = ()

    def inside(self, column: ListColumn) -> "Place":
        """Returns the place of the values of a list column."""
        return Place(self.column, (*self.parents, column))

    def row(self, position: int) -> int | None:
        """Returns the row that holds a value, `None` if none does."""
        for parent in reversed(self.parents):
            holds = (parent.starts <= position) & (position < parent.ends)
            if not holds.any():
                return None
            position = int(np.argmax(holds))
        return int(position)

    def error(self, problem: str, position: int | None = None) -> ValueError:
        """Returns the error for the column or the value at a position."""
        row = None if position is None else self.row(position)
        where = "" if row is None else f", row {row}"
        return ValueError(f"column {self.column!r}{where}: {problem}")

    def first_error(self, bad: np.ndarray, problem: str) -> ValueError:
        """Returns the error for the first value marked in `bad`."""
        return self.error(problem, int(np.argmax(bad)))
