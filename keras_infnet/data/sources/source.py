"""Base class of sources of rows, and tables in memory as a source."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from keras_infnet.data.sources.table import Table, check_unique
from keras_infnet.schema import nearest_name

__all__ = ["MemorySource", "Source", "check_same_columns"]


class Source(abc.ABC):
    """Rows in chunks, read one at a time.

    Attributes:
        name: string. Name of the source in errors.
        columns: tuple of the names of the columns.
        chunk_rows: tuple of the number of rows of every chunk.
        random_access: boolean. Whether reading chunks out of order costs no
            more than in order.
        in_memory: boolean. Whether the rows are in memory already.
    """

    name: str
    columns: tuple[str, ...]
    chunk_rows: tuple[int, ...]
    random_access: bool = True
    in_memory: bool = False

    @property
    def num_chunks(self) -> int:
        """Number of chunks."""
        return len(self.chunk_rows)

    @property
    def num_rows(self) -> int:
        """Number of rows of all chunks."""
        return sum(self.chunk_rows)

    def read_chunk(
        self, index: int, columns: Sequence[str] | None = None
    ) -> Table:
        """Reads one chunk.

        Args:
            index: integer. Which chunk, from 0.
            columns: names of the columns to read, or `None` for all.
                Defaults to `None`.

        Returns:
            A `Table`.

        Raises:
            IndexError: If there is no such chunk.
            ValueError: If a column is unknown or the data is damaged.
        """
        if not 0 <= index < self.num_chunks:
            raise IndexError(
                f"{self.name} has chunks 0 to {self.num_chunks - 1}"
            )
        names = self.columns if columns is None else tuple(columns)
        for column in names:
            if column not in self.columns:
                message = nearest_name(column, self.columns, "column")
                raise ValueError(f"{self.name}: {message}")
        try:
            return self._read(index, names)
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.describe(index)}: {error}") from error

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Yields all chunks in order; see `read_chunk`."""
        for index in range(self.num_chunks):
            yield self.read_chunk(index, columns)

    def read(self, columns: Sequence[str] | None = None) -> Table:
        """Reads everything into one table; see `read_chunk`."""
        try:
            return Table.concat(list(self.chunks(columns)))
        except ValueError as error:
            if str(error).startswith("column"):
                raise ValueError(f"{self.name}: {error}") from error
            raise

    def describe(self, index: int) -> str:
        """Describes where the rows of a chunk come from, for errors."""
        return self.name

    @abc.abstractmethod
    def _read(self, index: int, columns: tuple[str, ...]) -> Table:
        """Reads known columns of an existing chunk."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name}: {self.num_rows} rows in "
            f"{self.num_chunks} chunks)"
        )


class MemorySource(Source):
    """A table in memory as a single chunk.

    Columns of pandas and Arrow are converted when they are read: columns that
    are never read may have any type.
    """

    in_memory = True

    def __init__(self, data: Any) -> None:
        self._data = data
        if isinstance(data, Table):
            self.columns = data.columns
        elif isinstance(data, pd.DataFrame):
            self.columns = tuple(str(name) for name in data.columns)
        else:
            self.columns = tuple(data.schema.names)
        self.name = "the table"
        check_unique(self.columns, self.name)
        self.chunk_rows = (len(data),)
        if not len(data):
            raise ValueError("the table has no rows.")

    def _read(self, index: int, columns: tuple[str, ...]) -> Table:
        data = self._data
        if isinstance(data, Table):
            return data.select(columns)
        if isinstance(data, pd.DataFrame):
            wanted = [str(name) in columns for name in data.columns]
            return Table.from_pandas(data.loc[:, wanted]).select(columns)
        return Table.from_arrow(data.select(list(columns)))


def check_same_columns(
    path: str, columns: Sequence[str], first: str, expected: Sequence[str]
) -> None:
    """Raises if the columns of a file differ from those of the first."""
    if set(columns) != set(expected):
        missing = sorted(set(expected) - set(columns))
        extra = sorted(set(columns) - set(expected))
        raise ValueError(
            f"{path} does not have the columns of {first}. Missing: "
            f"{', '.join(missing) or 'none'}. Extra: "
            f"{', '.join(extra) or 'none'}. Read them as two sources."
        )
