"""CSV files, read in blocks of lines."""

import gzip
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from keras_infnet.data.sources.source import Source, check_same_columns
from keras_infnet.data.sources.table import Table, check_unique

__all__ = ["CsvSource"]

# Bytes of a chunk. Lines are never cut; values must not hold line breaks.
_BLOCK = 1 << 24


class _Block(NamedTuple):
    path: str
    start: int
    size: int
    first_row: int
    names: tuple[str, ...]


class CsvSource(Source):
    """Blocks of lines of one or more CSV files, plain or gzipped.

    Opening the source reads the files once, to count the rows and to find the
    type of every column: integers, else floats, else text. Empty cells of
    numbers are missing; text is not changed. An empty line is a missing value
    if there is one column and skipped otherwise. Compressed files have no
    random access: read them in order.
    """

    def __init__(
        self, paths: Sequence[str], text_columns: Sequence[str] = ()
    ) -> None:
        self.name = paths[0] if len(paths) == 1 else f"{paths[0]}, ..."
        self.random_access = not any(path.endswith(".gz") for path in paths)
        self.columns = ()
        self._types: dict[str, Any] = {
            name: pa.string() for name in text_columns
        }
        self._blocks: list[_Block] = []
        rows: list[int] = []
        for path in paths:
            rows += self._scan(path, paths[0])
        self.chunk_rows = tuple(rows)
        if not rows:
            raise ValueError(f"{self.name} has no rows.")

    def _scan(self, path: str, first_path: str) -> list[int]:
        rows: list[int] = []
        with _open(path) as file:
            try:
                header = file.readline()
                start = len(header)
                if not header.strip():
                    raise ValueError("it has no header")
                names = _parse_header(header)
                check_unique(names, path)
                self.columns = self.columns or names
                check_same_columns(path, names, first_path, self.columns)
                while data := _read_block(file):
                    block = _Block(path, start, len(data), sum(rows), names)
                    start += len(data)
                    table = self._parse_block(data, block)
                    if len(table):
                        self._blocks.append(block)
                        rows.append(len(table))
            except (pa.ArrowException, OSError, EOFError) as error:
                raise ValueError(f"{path}: {error}") from error
            except ValueError as error:
                if str(error).startswith(path):
                    raise
                raise ValueError(f"{path}: {error}.") from error
        return rows

    def _parse_block(self, data: bytes, block: _Block) -> Any:
        """Parses a block with the types found so far, and widens them."""
        fixed = {n: t for n, t in self._types.items() if t == pa.string()}
        try:
            table = _parse(data, block.names, fixed)
        except pa.ArrowInvalid as error:
            message = _locate(data, block, fixed) or str(error)
            raise ValueError(f"{block.path}: {message}") from error
        for field in table.schema:
            if pa.types.is_binary(field.type):
                raise ValueError(
                    f"{block.path}: column {field.name!r} is not UTF-8 text. "
                    "Convert the file."
                )
            known = self._types.get(field.name, pa.null())
            self._types[field.name] = _widest(known, field.type)
        return table

    def describe(self, index: int) -> str:
        block = self._blocks[index]
        if not block.first_row:
            return block.path
        return f"{block.path}, from row {block.first_row} on, taken as row 0"

    def _read(self, index: int, columns: tuple[str, ...]) -> Table:
        block = self._blocks[index]
        with _open(block.path) as file:
            file.seek(block.start)
            data = file.read(block.size)
        if len(data) != block.size:
            raise ValueError("the file has changed since it was opened")
        table = _parse(data, block.names, self._types, columns)
        return Table.from_arrow(table)


def _open(path: str) -> Any:
    if path.endswith(".gz"):
        return gzip.open(path, "rb")
    return open(path, "rb")


def _parse_header(line: bytes) -> tuple[str, ...]:
    """Returns the names of the columns."""
    if b"\r" in line.rstrip(b"\r\n"):
        raise ValueError(
            "its lines end in a carriage return (CR) alone, which is not "
            "read. Convert them to LF or CR LF"
        )
    try:
        return tuple(_parse(line).schema.names)
    except pa.ArrowInvalid as error:
        # A quote within a quoted name is doubled, so that complete names
        # have an even number of them.
        if not line.count(b'"') % 2:
            raise
        raise ValueError(
            "a name of a column in the header holds a line break, or its "
            "quote is not closed. Rename the column"
        ) from error


def _read_block(file: Any) -> bytes:
    data = file.read(_BLOCK)
    return data + file.readline() if data[-1:] not in (b"", b"\n") else data


def _parse(
    data: bytes,
    names: Sequence[str] | None = None,
    types: Any = None,
    columns: Sequence[str] | None = None,
    use_threads: bool = True,
) -> Any:
    return pc.read_csv(
        io.BytesIO(data),
        pc.ReadOptions(
            column_names=names,
            block_size=max(len(data), 1),
            use_threads=use_threads,
        ),
        # An empty line is a missing value if there is only one
        # column, and skipped otherwise.
        pc.ParseOptions(ignore_empty_lines=names is None or len(names) > 1),
        pc.ConvertOptions(
            column_types=types,
            include_columns=None if columns is None else list(columns),
        ),
    )


def _locate(data: bytes, block: _Block, types: Any) -> str | None:
    """Parses again in one thread to find the row of the error."""
    try:
        _parse(data, block.names, types, use_threads=False)
    except pa.ArrowInvalid as error:
        return f"counting from row {block.first_row}, {error}"
    return None


def _widest(one: Any, other: Any) -> Any:
    """Returns the type that holds the values of both."""
    if pa.types.is_time(other):
        other = pa.string()  # tables have no type for a time of day
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_temporal(one) and pa.types.is_temporal(other):
        return pa.timestamp("ns")
    return pa.string()
