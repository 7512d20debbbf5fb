"""Arrangement of raw columns in the nesting that the schema describes.

A single-valued field is a vector, a multi-valued one a `ListColumn`. An
attribute of a behavior is nested one level deeper.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from keras_infnet.data.encoding.cleaning import Place, strings
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column
from keras_infnet.schema import Categorical, Field

__all__ = ["arrange", "coverage", "map_values", "split_text", "trimmed"]


def arrange(
    column: Column, part: Field, place: Place, events: bool = False
) -> Column:
    """Arranges a raw column in the nesting of its field or attribute.

    Values of a multi-valued field may be lists, text joined by its separator,
    or single values. The result holds no unused values.
    """
    if events:
        lists = trimmed(_events(column, place))
        inner = arrange(lists.values, part, place.inside(lists))
        return ListColumn(inner, lists.starts, lists.ends)
    if not (isinstance(part, Categorical) and part.multivalued):
        if isinstance(column, ListColumn):
            raise place.error(
                "holds lists, but its field or attribute has one value. Use "
                "Categorical(..., multivalued=True), or reduce each list to "
                "one value.",
            )
        return column
    if isinstance(column, ListColumn):
        if column.depth > 1:
            raise place.error(
                "holds lists nested more deeply than the schema describes."
            )
        return trimmed(column)
    if column.dtype.kind == "O" and pd.api.types.infer_dtype(
        column, skipna=True
    ) in ("string", "bytes", "mixed", "empty"):
        return split_text(column, part, place)
    start = np.arange(len(column))
    return ListColumn(column, start, start + 1)


def _events(column: Column, place: Place) -> ListColumn:
    if isinstance(column, ListColumn):
        return column
    if column.dtype.kind in "fO" and pd.isna(column).all():
        # A list column that is null throughout.
        none = np.zeros(len(column), np.int64)
        return ListColumn(column[:0], none, none)
    raise place.error(
        "a behavior's column must hold lists, the newest event last. "
        f"Received: {column.dtype} values. Read it from Parquet, or build it "
        "with `keras_infnet.data.Sequences`.",
    )


def trimmed(column: ListColumn) -> ListColumn:
    """Drops values that no row holds, where that is cheap or saves memory.

    The result depends only on `starts` and `ends`, so columns with equal
    layout keep equal layouts.
    """
    lengths = column.lengths
    filled = lengths > 0
    if not filled.any():
        none = np.zeros(len(column), np.int64)
        return ListColumn(column.values[:0], none, none)
    low = int(column.starts[filled].min())
    high = int(column.ends[filled].max())
    if int(lengths.sum()) < high - low:
        ends = np.cumsum(lengths)
        return ListColumn(column.flatten(), ends - lengths, ends)
    starts = np.where(filled, column.starts - low, 0)
    ends = np.where(filled, column.ends - low, 0)
    return ListColumn(column.values[low:high], starts, ends)


def split_text(
    texts: np.ndarray, part: Categorical, place: Place
) -> ListColumn:
    """Splits joined ids, for example `"12,5"`.

    Blanks around an id are removed and empty items are left out. Equal texts
    share their items.
    """
    codes, distinct = pd.factorize(strings(texts, place))
    pieces = pc.split_pattern(
        pa.array(distinct, pa.large_string()), pattern=part.separator
    )
    offsets = pieces.offsets.to_numpy().astype(np.int64)
    items = pc.utf8_trim_whitespace(pieces.values)
    filled = pc.greater(pc.binary_length(items), 0)
    kept = np.cumsum(filled.to_numpy(zero_copy_only=False))
    offsets = np.concatenate([[0], kept])[offsets]
    items = items.filter(filled)
    starts, ends = offsets[:-1][codes], offsets[1:][codes]
    if part.dtype == "string":
        values = items.to_numpy(zero_copy_only=False)
        return ListColumn(values, starts, ends)
    layout = ListColumn(np.empty(len(items), np.int8), starts, ends)
    return ListColumn(_parsed(items, place.inside(layout)), starts, ends)


def _parsed(items: pa.Array, place: Place) -> np.ndarray:
    whole = pc.match_substring_regex(items, r"^-?[0-9]+$")
    bad = ~whole.to_numpy(zero_copy_only=False)
    if bad.any():
        item = items[int(np.argmax(bad))].as_py()
        raise place.first_error(
            bad,
            f"{item!r} is not an integer. Use dtype='string', or another "
            "separator.",
        )
    try:
        return items.cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        limit = 2**63
        sizes = [abs(int(item)) >= limit for item in items.to_pylist()]
        item = items[sizes.index(True)].as_py()
        raise place.error(
            f"the id {item} does not fit a signed 64-bit integer. Use "
            "dtype='string'.",
            sizes.index(True),
        ) from None


def map_values(
    column: Column,
    place: Place,
    function: Callable[[np.ndarray, Place], np.ndarray],
) -> Column:
    """Applies a function to the innermost values, each stored value once."""
    if not isinstance(column, ListColumn):
        return function(column, place)
    inner = map_values(column.values, place.inside(column), function)
    return ListColumn(inner, column.starts, column.ends)


def coverage(column: ListColumn, times: np.ndarray | None = None) -> np.ndarray:
    """Counts the rows with each value, row `i` counted `times[i]` times."""
    size = len(column.values) + 1
    # Sums of whole numbers below 2**53 are exact in float64.
    change = np.bincount(column.starts, times, size) - np.bincount(
        column.ends, times, size
    )
    return np.cumsum(change)[:-1].astype(np.int64)
