"""Parquet files, read by row groups."""

import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keras_infnet.data.sources.source import Source, check_same_columns
from keras_infnet.data.sources.table import Table, check_unique

__all__ = ["ParquetSource"]


class ParquetSource(Source):
    """Row groups of one or more Parquet files."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._metadata: dict[str, Any] = {}
        # Path, row group, position of its first row in the file.
        self._groups: list[tuple[str, int, int]] = []
        rows: list[int] = []
        self.name = paths[0] if len(paths) == 1 else f"{paths[0]}, ..."
        self.columns = ()
        for path in paths:
            metadata = _metadata(path)
            columns = tuple(metadata.schema.to_arrow_schema().names)
            check_unique(columns, path)
            self.columns = self.columns or columns
            check_same_columns(path, columns, paths[0], self.columns)
            self._metadata[path] = metadata
            first = 0
            for group in range(metadata.num_row_groups):
                count = metadata.row_group(group).num_rows
                if count:
                    self._groups.append((path, group, first))
                    rows.append(count)
                first += count
        self.chunk_rows = tuple(rows)
        if not rows:
            raise ValueError(f"{self.name} has no rows.")

    def describe(self, index: int) -> str:
        path, group, first = self._groups[index]
        start = f" (its row 0 is row {first} of the file)" if first else ""
        return f"{path}, row group {group}{start}"

    def _read(self, index: int, columns: tuple[str, ...]) -> Table:
        path, group, _ = self._groups[index]
        with pq.ParquetFile(path, metadata=self._metadata[path]) as file:
            table = file.read_row_group(group, columns=list(columns))
        return Table.from_arrow(table.select(list(columns)))


def _metadata(path: str) -> Any:
    if not os.path.getsize(path):
        raise ValueError(f"{path} is empty: it has no bytes.")
    try:
        with pq.ParquetFile(path) as file:
            return file.metadata
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is not a complete Parquet file; was its writer "
            f"interrupted? Write it again. {error}"
        ) from error
