"""Conversion of columns from and to Arrow and pandas."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from keras_infnet.data.sources.column_arrays import check_exact, concat_arrays
from keras_infnet.data.sources.list_column import ListColumn

__all__ = [
    "Column",
    "column_from_arrow",
    "column_from_objects",
    "column_from_series",
    "column_to_arrow",
    "column_to_series",
    "concat_columns",
]

Column = np.ndarray | ListColumn

# Names of the types in `pa.types`.
_LISTS = "list large_list fixed_size_list list_view large_list_view"
_VALUES = (
    "primitive boolean string large_string string_view binary large_binary "
    "binary_view"
)


def concat_columns(columns: Sequence[Column], what: str) -> Column:
    """Joins parts of a column, called `what` in errors."""
    lists = [c for c in columns if isinstance(c, ListColumn)]
    arrays = [c for c in columns if isinstance(c, np.ndarray)]
    if not lists:
        return concat_arrays(arrays, what)
    if arrays:
        if not all(_all_missing(array) for array in arrays):
            raise ValueError(
                f"{what} holds lists in one part of the data and single "
                "values in another."
            )
        lists = [
            c if isinstance(c, ListColumn) else _empty_lists(len(c))
            for c in columns
        ]
    try:
        return ListColumn.concat(lists)
    except ValueError as error:
        message = str(error).removeprefix("a list column")
        raise ValueError(what + message) from error


def _all_missing(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool(np.isnan(array).all())


def _empty_lists(rows: int) -> ListColumn:
    none = np.zeros(rows, np.int64)
    return ListColumn(np.empty(0), none, none)


# ------------------------------------------------------------------- Arrow


def column_from_arrow(array: Any, what: str) -> Column:
    """Converts an Arrow array or chunked array, without copies if possible.

    Missing integers and booleans make a float64 column with NaN, missing
    strings are `None`, missing lists empty; times with a zone become UTC.
    """
    if isinstance(array, pa.ChunkedArray):
        chunks = array.chunks or [pa.array([], array.type)]
        return concat_columns(
            [column_from_arrow(c, what) for c in chunks], what
        )
    kind = array.type
    is_type = pa.types
    if is_type.is_dictionary(kind):
        return column_from_arrow(array.dictionary_decode(), what)
    if isinstance(array, pa.ExtensionArray):
        return column_from_arrow(array.storage, what)
    if is_type.is_decimal(kind):
        return column_from_arrow(array.cast(pa.float64()), what)
    if is_type.is_null(kind):
        return np.full(len(array), np.nan)
    if _is_any(kind, _LISTS):
        return _lists_from_arrow(array, what)
    if is_type.is_integer(kind) and array.null_count:
        check_exact(array.drop_null().to_numpy(), what)
        return array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if is_type.is_boolean(kind) and array.null_count:
        array = array.cast(pa.int8()).cast(pa.float64())
    if is_type.is_date(kind):
        array = array.cast(pa.timestamp("s" if kind == pa.date32() else "ms"))
    if not _is_any(kind, _VALUES) or is_type.is_time(kind):
        raise ValueError(
            f"{what} has the type {kind}, which is not one of numbers, "
            "booleans, strings, times and lists of these. Convert it, or "
            "leave the column out."
        )
    return array.to_numpy(zero_copy_only=False)


def _is_any(kind: Any, names: str) -> bool:
    return any(getattr(pa.types, f"is_{n}")(kind) for n in names.split())


def _lists_from_arrow(array: Any, what: str) -> ListColumn:
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        starts = (np.arange(len(array)) + array.offset) * size
        ends = starts + size
    elif hasattr(array, "sizes"):
        starts = array.offsets.to_numpy().astype(np.int64)
        ends = starts + array.sizes.to_numpy()
    else:
        offsets = array.offsets.to_numpy().astype(np.int64)
        starts, ends = offsets[:-1], offsets[1:]
    if array.null_count:
        known = array.is_valid().to_numpy(zero_copy_only=False)
        starts, ends = starts * known, ends * known
    values = array.values
    # Values outside the slice are not converted.
    low = int(starts.min()) if len(starts) and not array.null_count else 0
    high = int(ends.max()) if len(ends) else 0
    elements = column_from_arrow(values.slice(low, high - low), what)
    return ListColumn(elements, starts - low, ends - low)


def column_to_arrow(column: Column) -> Any:
    """Converts to an Arrow array; `None` and NaN in text become null."""
    if isinstance(column, ListColumn):
        column = column.compact()
        offsets = np.append(column.starts[:1] * 0, column.ends)
        if not len(column):
            offsets = np.zeros(1, np.int64)
        values = column_to_arrow(column.values)
        if len(values) < 2**31:
            return pa.ListArray.from_arrays(offsets.astype(np.int32), values)
        return pa.LargeListArray.from_arrays(offsets, values)
    if column.dtype.kind == "O":
        array = pa.array(column, from_pandas=True)
        return array.cast(pa.string()) if array.type == pa.null() else array
    return pa.array(column)


# ------------------------------------------------------------------ pandas


def column_from_series(series: "pd.Series[Any]", what: str) -> Column:
    """Converts a pandas column, through Arrow unless it has a NumPy dtype."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biufM":
        return series.to_numpy()
    if isinstance(dtype, pd.StringDtype):
        known = series.to_numpy(dtype=object, copy=True)
        known[series.isna().to_numpy()] = None
        return known
    return column_from_objects(series, what)


def column_from_objects(objects: Any, what: str) -> Column:
    """Converts Python objects: values, or lists or arrays of values."""
    try:
        array = pa.array(objects, from_pandas=True)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(
            f"{what} must hold one type of values: numbers, booleans, "
            f"strings, or lists of these. {error}"
        ) from error
    return column_from_arrow(array, what)


def column_to_series(column: Column) -> "pd.Series[Any]":
    """Converts to a pandas column; lists become arrays or nested arrays."""
    if isinstance(column, ListColumn):
        return column_to_arrow(column).to_pandas()
    if column.dtype.kind == "O":
        return pd.Series(column, dtype=object)
    return pd.Series(column.copy())
