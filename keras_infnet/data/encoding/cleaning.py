"""Conversion of raw values to one dtype per kind of field.

Integer ids become int64 with -1 where missing, strings become `str` objects
with `""` where missing, numbers become float32 with NaN where missing.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.schema import Field, Numeric

__all__ = [
    "Place",
    "clean",
    "integer_ids",
    "is_missing",
    "numbers",
    "strings",
    "times",
]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where values come from, for error messages."""

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


_INT64_END = 2.0**63


def clean(part: Field, values: np.ndarray, place: Place) -> np.ndarray:
    """Converts the raw values of a field or attribute."""
    if isinstance(part, Numeric):
        return numbers(values, place)
    if part.dtype == "int":
        return integer_ids(values, place)
    return strings(values, place)


def is_missing(cleaned: np.ndarray) -> np.ndarray:
    """Returns which cleaned values are missing."""
    if cleaned.dtype.kind == "f":
        return np.isnan(cleaned)
    if cleaned.dtype.kind == "O":
        return np.asarray(cleaned == "", dtype=bool)
    return cleaned < 0


# ---------------------------------------------------------------- integers


def integer_ids(
    values: np.ndarray, place: Place, what: str = "an integer field"
) -> np.ndarray:
    """Converts integers, in any dtype, to int64; missing ones become -1."""
    kind = values.dtype.kind
    if kind in "bi":
        return _negative_as_missing(values.astype(np.int64, copy=False))
    if kind == "u":
        return _from_unsigned(values, place)
    if kind == "f":
        return _from_floats(values, place, what)
    if kind == "O":
        return _from_objects(values, place, what)
    raise place.error(f"{what} cannot hold {values.dtype}. Convert the column.")


def _negative_as_missing(values: np.ndarray) -> np.ndarray:
    """Replaces negative integers by -1, without a copy if there are none."""
    if not len(values) or values.min() >= -1:
        return values
    return np.maximum(values, -1)


def _from_unsigned(values: np.ndarray, place: Place) -> np.ndarray:
    huge = values > np.iinfo(np.int64).max
    if huge.any():
        raise place.first_error(
            huge,
            f"the id {values[np.argmax(huge)]} does not fit a signed 64-bit "
            "integer. Use dtype='string' and convert the column to text.",
        )
    return values.astype(np.int64)


def _from_floats(values: np.ndarray, place: Place, what: str) -> np.ndarray:
    known = ~np.isnan(values)
    # Infinite values are larger than any int64.
    bad = known & (
        (np.trunc(values) != values) | (np.abs(values) >= _INT64_END)
    )
    if bad.any():
        raise place.first_error(
            bad,
            f"{what} needs whole numbers within int64. Received: "
            f"{float(values[np.argmax(bad)])!r}. Round the column, or "
            "describe it as Numeric.",
        )
    return np.maximum(np.where(known, values, -1).astype(np.int64), -1)


def _from_objects(values: np.ndarray, place: Place, what: str) -> np.ndarray:
    missing = np.asarray(pd.isna(values), dtype=bool)
    kind = pd.api.types.infer_dtype(values, skipna=True)
    out = np.full(len(values), -1, np.int64)
    if kind in ("integer", "boolean"):
        try:
            out[~missing] = values[~missing].astype(np.int64)
        except OverflowError:
            limit = np.iinfo(np.int64).max
            huge = np.where(missing, 0, values) > limit
            low = np.where(missing, 0, values) < -limit
            if huge.any():
                raise place.first_error(
                    huge,
                    f"the id {values[np.argmax(huge)]} does not fit a signed "
                    "64-bit integer. Use dtype='string' and convert the "
                    "column to text.",
                ) from None
            out[~missing & ~low] = values[~missing & ~low].astype(np.int64)
        return np.maximum(out, -1)
    if kind in ("floating", "mixed-integer-float", "decimal"):
        floats = np.where(missing, np.nan, values).astype(np.float64)
        return _from_floats(floats, place, what)
    # A column of blank strings: CSV readers return them for absent values.
    blank = missing | np.asarray(values == "", dtype=bool)
    if not blank.all():
        first = values[np.argmin(blank)]
        raise place.first_error(
            ~blank,
            f"{what} cannot hold text or other objects. Received: {first!r}. "
            "Use dtype='string', or convert the column.",
        )
    return out


def times(values: np.ndarray, unit: str, place: Place) -> np.ndarray:
    """Converts integers or datetimes to int64 counts of `unit` since 1970."""
    if values.dtype.kind == "M":
        missing = np.isnat(values)
        counts = values.astype(f"datetime64[{unit}]").astype(np.int64)
        return np.maximum(np.where(missing, -1, counts), -1)
    return integer_ids(values, place, "a time")


# ----------------------------------------------------------------- strings


def strings(values: np.ndarray, place: Place) -> np.ndarray:
    """Converts text and UTF-8 bytes to `str`; missing values become `""`."""
    if values.dtype.kind in "US":
        values = values.astype(object)
    if values.dtype.kind == "f" and np.isnan(values).all():
        return np.full(len(values), "", object)
    if values.dtype.kind != "O":
        raise place.error(
            f"a string field cannot hold {values.dtype}. Use dtype='int' for "
            "integer ids, Numeric for measurements, or convert the column to "
            "text.",
        )
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind not in ("string", "empty"):
        return _decoded(values, place)
    missing = np.asarray(pd.isna(values), dtype=bool)
    return np.where(missing, "", values) if missing.any() else values


def _decoded(values: np.ndarray, place: Place) -> np.ndarray:
    try:
        # Arrow takes text and bytes in one column and checks the encoding.
        array = pa.array(values, pa.large_binary(), from_pandas=True)
        array = array.cast(pa.large_string()).fill_null("")
    except (pa.ArrowException, TypeError):
        for position, value in enumerate(values):
            if isinstance(value, bytes):
                try:
                    value.decode("utf-8")
                except UnicodeDecodeError:
                    raise place.error(
                        f"{value!r} is not UTF-8 text.", position
                    ) from None
            elif not isinstance(value, str) and not pd.isna(value):
                raise place.error(
                    f"a string field cannot hold {value!r}. Use dtype='int' "
                    "for integer ids, or convert the column to text.",
                    position,
                ) from None
        raise
    return array.to_numpy(zero_copy_only=False)


# ----------------------------------------------------------------- numbers


def numbers(values: np.ndarray, place: Place) -> np.ndarray:
    """Converts to float32; `None` becomes NaN."""
    if values.dtype.kind == "O":
        values = _floats_from_objects(values, place)
    if values.dtype.kind not in "biuf":
        raise place.error(
            f"a Numeric field cannot hold {values.dtype}. Convert the column "
            "to numbers.",
        )
    with np.errstate(over="ignore"):  # beyond float32 is infinite
        return values.astype(np.float32)


def _floats_from_objects(values: np.ndarray, place: Place) -> Any:
    missing = np.asarray(pd.isna(values), dtype=bool)
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in (
        "boolean",
        "decimal",
        "floating",
        "integer",
        "mixed-integer-float",
    ):
        return np.where(missing, np.nan, values).astype(np.float64)
    blank = missing | np.asarray(values == "", dtype=bool)
    if not blank.all():
        raise place.first_error(
            ~blank,
            "a Numeric field needs numbers. Received: "
            f"{values[np.argmin(blank)]!r}. Convert the column, or describe "
            "it as Categorical with dtype='string'.",
        )
    return np.full(len(values), np.nan)
