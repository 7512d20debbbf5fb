"""Opening and writing of tables."""

import contextlib
import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from keras_infnet.data.sources.csv_source import CsvSource
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.parquet_source import ParquetSource
from keras_infnet.data.sources.source import MemorySource, Source
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import nearest_name
from keras_infnet.utils.atomic_files import replacing

__all__ = ["Source", "open_source", "write_table"]

_SUFFIXES = (".parquet", ".csv", ".csv.gz")


def open_source(source: Any, text_columns: Sequence[str] = ()) -> Source:
    """Opens a table in memory or in files.

    Parquet is read by row groups and CSV by blocks of lines, so files may be
    larger than memory.

    Args:
        source: `Table`, `pandas.DataFrame`, `pyarrow.Table`, or the path of a
            `.parquet`, `.csv` or `.csv.gz` file, of a directory of these or a
            glob pattern (read in the order of their names), or a list of
            paths (read in this order). A `Source` is returned as it is.
        text_columns: names of CSV columns that are text even where they look
            like numbers. Defaults to `()`.

    Returns:
        A `Source`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If `source` has an unsupported type.
        ValueError: If a file is damaged or of an unknown format, if columns
            of the files differ, or if there are no rows.

    Example:

    >>> source = open_source(Table({"a": [1, 2, 3]}))
    >>> source.num_rows, source.columns
    (3, ('a',))
    >>> source.read_chunk(0)["a"].tolist()
    [1, 2, 3]
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, (Table, pd.DataFrame, pa.Table)):
        return MemorySource(source)
    if isinstance(source, pa.RecordBatch):
        return MemorySource(pa.Table.from_batches([source]))
    if isinstance(source, (str, os.PathLike)):
        paths = _expand(os.fspath(source))
    elif isinstance(source, (list, tuple)) and all(
        isinstance(path, (str, os.PathLike)) for path in source
    ):
        if not source:
            raise ValueError("the list of paths is empty.")
        paths = [p for path in source for p in _expand(os.fspath(path))]
    else:
        raise TypeError(
            "a source must be a Table, a pandas DataFrame, a pyarrow Table, "
            f"a path or a list of paths. Received: {type(source).__name__}."
        )
    kinds = {_suffix(path) == ".parquet" for path in paths}
    if len(kinds) > 1:
        raise ValueError(
            f"{source} holds both Parquet and CSV files. Name those to read, "
            "for example 'directory/*.parquet'."
        )
    if kinds == {True}:
        return ParquetSource(paths)
    return CsvSource(paths, text_columns)


def _expand(path: str) -> list[str]:
    """Returns the files of a path, directory or glob pattern."""
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        # Writers leave markers such as `_SUCCESS` beside the data.
        files = [
            os.path.join(path, name)
            for name in names
            if name.endswith(_SUFFIXES) and name[0] not in "._"
        ]
        if not files:
            raise FileNotFoundError(
                f"directory {path} holds no .parquet, .csv or .csv.gz files. "
                f"To look further down, use '{path}/**/*.parquet'."
            )
        return files
    if not os.path.exists(path):
        files = sorted(glob.glob(path, recursive=True))
        if files:
            return files
        if glob.has_magic(path):
            raise FileNotFoundError(f"no file matches {path!r}.")
        folder, name = os.path.split(path)
        if not os.path.isdir(folder or "."):
            raise FileNotFoundError(f"no file {path!r}: no folder {folder!r}.")
        near = [n for n in os.listdir(folder or ".") if n.endswith(_SUFFIXES)]
        raise FileNotFoundError(
            f"no file {path!r}: {nearest_name(name, near, 'file')}"
        )
    return [path]


def _suffix(path: str) -> str:
    for suffix in _SUFFIXES:
        if path.lower().endswith(suffix):
            return suffix
    raise ValueError(f"{path} must end in .parquet, .csv or .csv.gz.")


def write_table(
    table: Any,
    path: str | os.PathLike[str],
    row_group_size: int = 131_072,
) -> None:
    """Writes a table to one file, atomically.

    Writes a temporary file, which replaces `path` when it is complete. After
    an interrupt, an existing file is unchanged.

    Args:
        table: `Table`, `pandas.DataFrame` or `pyarrow.Table`, or an iterable
            of these with the same columns, written one at a time.
        path: string. Ends in `.parquet`, `.csv` or `.csv.gz`.
        row_group_size: integer. Rows of a Parquet row group, which is what
            readers hold in memory at once. Defaults to `131072`.

    Raises:
        ValueError: If the suffix is not one of these, if a table to write as
            CSV has list columns, or if an iterable is empty.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Table({"a": [1, 2]}), f"{folder}/a.parquet")
    ...     open_source(f"{folder}/a.parquet").num_rows
    2
    """
    path = os.fspath(path)
    suffix = _suffix(path)
    whole = isinstance(table, (Table, pd.DataFrame, pa.Table))
    parts = (_to_arrow(part, suffix) for part in ([table] if whole else table))
    with replacing(path) as temporary:
        first = next(parts, None)
        if first is None:
            raise ValueError(f"there are no rows to write to {path}.")
        with _open_writer(temporary, suffix, first.schema) as writer:
            for part in itertools.chain([first], parts):
                part = part.cast(first.schema)
                if suffix == ".parquet":
                    writer.write_table(part, row_group_size)
                else:
                    writer.write_table(part)


@contextlib.contextmanager
def _open_writer(path: str, suffix: str, schema: Any) -> Iterator[Any]:
    if suffix == ".parquet":
        with pq.ParquetWriter(path, schema) as writer:
            yield writer
        return
    packing = "gzip" if suffix == ".csv.gz" else None
    with (
        pa.output_stream(path, packing) as file,
        pc.CSVWriter(file, schema) as writer,
    ):
        yield writer


def _to_arrow(table: Any, suffix: str) -> Any:
    if isinstance(table, pd.DataFrame):
        table = Table.from_pandas(table)
    if isinstance(table, pa.Table) and suffix != ".parquet":
        table = Table.from_arrow(table)
    if not isinstance(table, Table):
        return table
    lists = [n for n in table.columns if isinstance(table[n], ListColumn)]
    if lists and suffix != ".parquet":
        raise ValueError(
            f"a CSV file cannot hold lists (column {lists[0]!r}). Write "
            "Parquet, or leave the column out."
        )
    return table.to_arrow()
