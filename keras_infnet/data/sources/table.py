"""A columnar table in memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from keras_infnet.data.sources.arrow_conversion import (
    Column,
    column_from_arrow,
    column_from_objects,
    column_from_series,
    column_to_arrow,
    column_to_series,
    concat_columns,
)
from keras_infnet.data.sources.column_arrays import tidy_array
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.schema import nearest_name

__all__ = ["Column", "ListColumn", "Table", "as_table", "check_unique"]


class Table:
    """Immutable named columns of equal length.

    A column is a read-only vector or a `ListColumn`. Integers, floats and
    booleans keep their dtype; strings are Python strings in an object
    vector, `None` where missing; times are `datetime64` in their own unit.

    Args:
        columns: mapping of name to vector, `ListColumn`, pandas column, or
            Python list of values or of lists.

    Raises:
        ValueError: If the columns differ in length or a column is not a
            vector.

    Example:

    >>> table = Table({
    ...     "user": np.array([3, 3, 5]),
    ...     "tags": [[1, 2], [], [4]],
    ... })
    >>> len(table), table.columns
    (3, ('user', 'tags'))
    >>> table.take([2, 0])["tags"].to_lists()
    [[4], [1, 2]]
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns: dict[str, Any] = {}
        self._rows = 0
        for name, column in columns.items():
            column = _column(column, f"column {name!r}")
            if self._columns and len(column) != self._rows:
                other = next(iter(self._columns))
                raise ValueError(
                    f"columns must have one length. Received: {len(column)} "
                    f"rows of {name!r}, {self._rows} rows of {other!r}."
                )
            self._rows = len(column)
            self._columns[str(name)] = column

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> Any:
        if name not in self._columns:
            # A ValueError, not a KeyError, which would print the message
            # quoted.
            raise ValueError(nearest_name(name, self._columns, "column"))
        return self._columns[name]

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(self.columns)})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._columns)

    # ------------------------------------------------------------ rows

    def take(self, indices: Any) -> "Table":
        """Picks rows by position.

        Args:
            indices: integers of shape `(n,)`, repeats allowed.

        Returns:
            A table of `n` rows.
        """
        indices = np.asarray(indices)
        if indices.dtype == np.bool_:
            raise ValueError("`indices` must be integers. Use `filter`.")
        if not len(indices):
            indices = indices.astype(np.int64)
        return Table({n: c.take(indices) for n, c in self._columns.items()})

    def filter(self, mask: Any) -> "Table":
        """Keeps the rows where `mask`, booleans of shape `(rows,)`, is true."""
        mask = np.asarray(mask, bool)
        if mask.shape != (len(self),):
            raise ValueError(
                f"`mask` must have shape ({len(self)},). Received: "
                f"{mask.shape}."
            )
        return self.take(np.flatnonzero(mask))

    def slice(self, start: int, stop: int | None = None) -> "Table":
        """Returns the rows from `start` up to `stop` without copying."""
        return Table({n: c[start:stop] for n, c in self._columns.items()})

    @staticmethod
    def concat(tables: Sequence["Table"]) -> "Table":
        """Joins the rows of tables that have the same columns.

        Args:
            tables: list of tables, at least one. The order of the columns is
                that of the first.

        Returns:
            One table.

        Raises:
            ValueError: If there are no tables, columns differ, or a column
                holds different kinds of values.

        Example:

        >>> parts = [Table({"a": [1, 2]}), Table({"a": [3]})]
        >>> Table.concat(parts)["a"].tolist()
        [1, 2, 3]
        """
        tables = list(tables)
        if not tables:
            raise ValueError("`concat` needs at least one table.")
        names = tables[0].columns
        for table in tables[1:]:
            different = sorted(set(names) ^ set(table.columns))
            if different:
                raise ValueError(
                    "tables must have the same columns. Only in some: "
                    f"{', '.join(different)}."
                )
        return Table(
            {
                name: concat_columns(
                    [t[name] for t in tables], f"column {name!r}"
                )
                for name in names
            }
        )

    # --------------------------------------------------------- columns

    def select(self, names: Iterable[str]) -> "Table":
        """Returns the named columns, in the given order."""
        return Table({name: self[name] for name in names})

    def without(self, names: str | Iterable[str]) -> "Table":
        """Returns all columns but the named ones, which must exist."""
        names = [names] if isinstance(names, str) else list(names)
        dropped = {name for name in names if self[name] is not None}
        return self.select(n for n in self.columns if n not in dropped)

    def with_columns(self, columns: Mapping[str, Any]) -> "Table":
        """Returns a table with columns added or replaced."""
        return Table({**self._columns, **columns})

    # ------------------------------------------------------ other forms

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> "Table":
        """Converts a pandas frame; its index is left out.

        Nullable integers and booleans become float64 with NaN where a value
        is missing; lists and arrays in an object column make a `ListColumn`.

        Args:
            frame: `pandas.DataFrame`.

        Returns:
            A table.

        Raises:
            ValueError: If a column mixes types or has a type without
                counterpart, or if a name repeats.
        """
        check_unique([str(name) for name in frame.columns])
        return cls(
            {
                str(name): column_from_series(column, f"column {name!r}")
                for name, column in frame.items()
            }
        )

    @classmethod
    def from_arrow(cls, table: Any) -> "Table":
        """Converts an Arrow table or record batch, mostly without copies.

        Args:
            table: `pyarrow.Table` or `pyarrow.RecordBatch`.

        Returns:
            A table; see `from_pandas` for missing values.

        Raises:
            ValueError: If a column has a type without counterpart, or if a
                name repeats.
        """
        check_unique(table.schema.names)
        return cls(
            {
                name: column_from_arrow(column, f"column {name!r}")
                for name, column in zip(
                    table.schema.names, table.columns, strict=True
                )
            }
        )

    def to_pandas(self) -> pd.DataFrame:
        """Converts to a pandas frame; lists become arrays."""
        return pd.DataFrame(
            {name: column_to_series(c) for name, c in self._columns.items()},
            index=pd.RangeIndex(len(self)),
        )

    def to_arrow(self) -> Any:
        """Converts to a `pyarrow.Table`."""
        return pa.table(
            {name: column_to_arrow(c) for name, c in self._columns.items()}
        )


def _column(column: Any, what: str) -> Column:
    if isinstance(column, ListColumn):
        return column
    if isinstance(column, pd.Series):
        column = column_from_series(column, what)
    elif not isinstance(column, np.ndarray):
        column = column_from_objects(column, what)
    if isinstance(column, ListColumn):
        return column
    return tidy_array(column, what)


def as_table(data: Any, what: str) -> Table:
    """Returns a table, converted if it is a pandas frame."""
    if isinstance(data, pd.DataFrame):
        return Table.from_pandas(data)
    if not isinstance(data, Table):
        raise TypeError(
            f"{what} must be a Table or a pandas DataFrame. Received: "
            f"{type(data).__name__}. Convert it, for example by "
            "`Table.from_arrow` or `open_source(...).read()`."
        )
    return data


def check_unique(names: Sequence[str], where: str | None = None) -> None:
    """Raises a `ValueError` if names of columns repeat."""
    repeated = sorted(n for n, count in Counter(names).items() if count > 1)
    if repeated:
        place = "" if where is None else f"{where}: "
        raise ValueError(
            f"{place}names of columns must be unique. Repeated: "
            f"{', '.join(repeated)}. Rename the columns or drop one."
        )
