"""A column of lists."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_infnet.data.sources.column_arrays import (
    concat_arrays,
    frozen,
    tidy_array,
)

__all__ = ["ListColumn"]

# Cells padded at once: small enough for the caches, large enough for NumPy.
_CELLS = 1 << 18


Cells = tuple[np.ndarray, np.ndarray]


class ListColumn:
    """A column in which every row is a list.

    Row `i` holds `values[starts[i]:ends[i]]`. Slices may overlap: the
    histories of all requests of a user are slices of the user's one event
    list, two integers a row. `values` may be a `ListColumn` itself, for lists
    of lists (a multi-valued attribute of events).

    Args:
        values: vector or `ListColumn`. The elements.
        starts: integers of shape `(rows,)`. First element of every row.
        ends: integers of shape `(rows,)`. One past the last element.

    Raises:
        ValueError: If a slice does not lie within `values`.

    Example:

    >>> column = ListColumn(np.array([7, 8, 9]), [0, 0, 3], [2, 3, 3])
    >>> column.to_lists()
    [[7, 8], [7, 8, 9], []]
    >>> column.newest(2).pad(2, fill=0).tolist()
    [[7, 8], [8, 9], [0, 0]]
    """

    def __init__(self, values: Any, starts: Any, ends: Any) -> None:
        if not isinstance(values, ListColumn):
            values = tidy_array(values, "`values` of a list column")
        self.values: np.ndarray | ListColumn = values
        self.starts = frozen(np.asarray(starts, np.int64))
        self.ends = frozen(np.asarray(ends, np.int64))
        if self.starts.ndim != 1 or self.starts.shape != self.ends.shape:
            raise ValueError(
                "`starts` and `ends` must be vectors of one length. Received: "
                f"shapes {self.starts.shape} and {self.ends.shape}."
            )
        if len(self.starts) and (
            int(self.starts.min()) < 0
            or int(self.ends.max()) > len(values)
            or bool((self.ends < self.starts).any())
        ):
            raise ValueError(
                "every row must satisfy 0 <= start <= end <= "
                f"{len(values)}, the number of values."
            )

    # --------------------------------------------------------- construction

    @classmethod
    def from_lists(cls, rows: Iterable[Any], dtype: Any = None) -> "ListColumn":
        """Builds a column from Python lists or arrays.

        Args:
            rows: iterable of lists, arrays or `None` (an empty row); elements
                may be lists themselves.
            dtype: dtype of the innermost values, or `None` to infer it.
                Defaults to `None`.

        Returns:
            A `ListColumn`.

        Raises:
            ValueError: If the rows are not lists, or mix types.

        Example:

        >>> ListColumn.from_lists([[1, 2], [], None, [3]]).lengths.tolist()
        [2, 0, 0, 1]
        """
        from keras_infnet.data.sources.arrow_conversion import (
            column_from_objects,
        )

        column = column_from_objects(list(rows), "a list column")
        if not isinstance(column, ListColumn):
            if len(column) and not (
                column.dtype.kind == "f" and np.isnan(column).all()
            ):
                raise ValueError(
                    "every row must be a list. Received: a list of "
                    f"{column.dtype} values."
                )
            none = np.zeros(len(column), np.int64)
            column = cls(np.empty(0, dtype or np.float64), none, none)
        return column if dtype is None else column.astype(dtype)

    @classmethod
    def concat(cls, columns: Sequence["ListColumn"]) -> "ListColumn":
        """Joins the rows of several columns; shared values stay shared."""
        first = columns[0]
        if all(column.values is first.values for column in columns):
            return cls(
                first.values,
                np.concatenate([column.starts for column in columns]),
                np.concatenate([column.ends for column in columns]),
            )
        sizes = [len(column.values) for column in columns]
        shifts = np.cumsum([0, *sizes[:-1]])
        filled = [c.values for c in columns if len(c.values)]
        values: Any
        if not filled:
            values = first.values
        elif all(isinstance(part, ListColumn) for part in filled):
            values = cls.concat([p for p in filled if isinstance(p, cls)])
        elif any(isinstance(part, ListColumn) for part in filled):
            raise ValueError(
                "a list column holds lists in one part of the data and "
                "single values in another."
            )
        else:
            values = concat_arrays(
                [p for p in filled if isinstance(p, np.ndarray)],
                "a list column",
            )
        return cls(
            values,
            np.concatenate(
                [c.starts + s for c, s in zip(columns, shifts, strict=True)]
            ),
            np.concatenate(
                [c.ends + s for c, s in zip(columns, shifts, strict=True)]
            ),
        )

    # ----------------------------------------------------------------- rows

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return ListColumn(self.values, self.starts[row], self.ends[row])
        start, end = int(self.starts[row]), int(self.ends[row])
        return self.values[start:end]

    def __repr__(self) -> str:
        return f"ListColumn({len(self)} rows, {self.dtype}, depth {self.depth})"

    @property
    def lengths(self) -> np.ndarray:
        """Number of elements of every row."""
        return self.ends - self.starts

    @property
    def depth(self) -> int:
        """1 for lists, 2 for lists of lists."""
        inner = self.values
        return 1 + (inner.depth if isinstance(inner, ListColumn) else 0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the innermost values."""
        return self.values.dtype

    def astype(self, dtype: Any) -> "ListColumn":
        """Converts the innermost values."""
        return ListColumn(self.values.astype(dtype), self.starts, self.ends)

    def take(self, indices: Any) -> "ListColumn":
        """Picks rows; the values are not copied."""
        indices = np.asarray(indices)
        if not len(indices):  # NumPy makes floats of an empty list
            indices = indices.astype(np.int64)
        return ListColumn(self.values, self.starts[indices], self.ends[indices])

    def newest(self, max_length: int) -> "ListColumn":
        """Keeps the last `max_length` elements of every row."""
        starts = np.maximum(self.starts, self.ends - max_length)
        return ListColumn(self.values, starts, self.ends)

    def first(self, max_length: int) -> "ListColumn":
        """Keeps the first `max_length` elements of every row."""
        ends = np.minimum(self.ends, self.starts + max_length)
        return ListColumn(self.values, self.starts, ends)

    # --------------------------------------------------------------- layout

    def element_indices(self) -> np.ndarray:
        """Returns the positions in `values` of all elements, row by row."""
        lengths = self.lengths
        offsets = np.cumsum(lengths) - lengths
        total = int(lengths.sum())
        return np.repeat(self.starts - offsets, lengths) + np.arange(total)

    def flatten(self) -> "np.ndarray | ListColumn":
        """Returns the elements of all rows, row by row."""
        lengths = self.lengths
        if len(self) and bool((self.starts[1:] == self.ends[:-1]).all()):
            return self.values[int(self.starts[0]) : int(self.ends[-1])]
        if not lengths.any():
            return self.values[:0]
        return self.values.take(self.element_indices())

    def compact(self) -> "ListColumn":
        """Copies the elements that the rows hold, each row separately."""
        values = self.flatten()
        if isinstance(values, ListColumn):
            values = values.compact()
        ends = np.cumsum(self.lengths)
        return ListColumn(values, ends - self.lengths, ends)

    def to_lists(self) -> list[list[Any]]:
        """Returns the rows as Python lists."""
        from keras_infnet.data.sources.arrow_conversion import column_to_arrow

        return column_to_arrow(self).to_pylist()

    def mask(self, length: int) -> np.ndarray:
        """Returns the padding mask of `pad(length)`.

        Args:
            length: integer. Padded length of a row.

        Returns:
            Booleans of shape `(rows, length)`, `True` at elements.
        """
        return np.arange(length) < self.lengths[:, None]

    def pad(self, length: int | tuple[int, ...], fill: Any = 0) -> np.ndarray:
        """Pads the rows at the end with `fill` to equal lengths.

        Longer rows keep their first `length` elements: call `newest` first to
        keep the last ones.

        Args:
            length: integer, or a pair of integers for lists of lists. Padded
                length of a row.
            fill: value of the padding. Defaults to `0`.

        Returns:
            Array of shape `(rows, length)`, or `(rows, length, inner length)`
            for lists of lists.

        Raises:
            ValueError: If the number of lengths is not the depth.

        Example:

        >>> ListColumn.from_lists([[1, 2], []]).pad(3, fill=-1).tolist()
        [[1, 2, -1], [-1, -1, -1]]
        """
        shape = (length,) if isinstance(length, (int, np.integer)) else length
        if len(shape) != self.depth:
            raise ValueError(
                f"lists of depth {self.depth} need {self.depth} lengths. "
                f"Received: length={length}."
            )
        out = np.empty((len(self), *shape), self.dtype)
        step = max(1, _CELLS // max(1, int(np.prod(shape))))
        for start in range(0, len(self), step):
            part = self[start : start + step]
            cells = part.cells(shape[0])
            out[start : start + step] = part.fill_cells(cells, shape, fill)
        return out

    def cells(self, length: int) -> Cells:
        """Returns positions in `values` for `pad(length)`, and the mask.

        Columns with the same rows, such as the attributes of a behavior, can
        share them: they are most of the cost of `pad`.
        """
        return self.starts[:, None] + np.arange(length), self.mask(length)

    def fill_cells(
        self, cells: Cells, shape: tuple[int, ...], fill: Any = 0
    ) -> np.ndarray:
        """Returns `pad(shape, fill)`, given the cells."""
        index, mask = cells
        values = self.values
        if isinstance(values, ListColumn):
            out = np.full((*mask.shape, *shape[1:]), fill, self.dtype)
            out[mask] = values.take(index[mask]).pad(shape[1:], fill)
            return out
        if not len(values):
            return np.full(mask.shape, fill, self.dtype)
        # Padding reads arbitrary values, which are overwritten.
        out = values.take(index, mode="clip")
        if fill == 0 and out.dtype.kind in "iu":
            out *= mask  # faster than assignment by mask
        else:
            np.copyto(out, np.asarray(fill, out.dtype), where=~mask)
        return out
