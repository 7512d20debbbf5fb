"""Columns of a table that are vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["check_exact", "concat_arrays", "frozen", "tidy_array"]

# Largest range of integers that float64 holds exactly.
_EXACT = 2**53


def frozen(array: np.ndarray) -> np.ndarray:
    """Returns a read-only view of `array`, or itself if read-only."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def tidy_array(values: Any, what: str = "a column") -> np.ndarray:
    """Converts `values` to a read-only vector of a supported dtype."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged lists
        raise ValueError(
            f"{what} must be a vector. Received lists of unequal length: use "
            "`ListColumn.from_lists`."
        ) from error
    if array.ndim != 1:
        raise ValueError(
            f"{what} must be a vector. Received: shape {array.shape}. For "
            "lists use `ListColumn.from_lists`."
        )
    if array.dtype.kind in "US":
        array = array.astype(object)
    if array.dtype.kind not in "biufOmM":
        raise ValueError(
            f"{what} must hold numbers, booleans, datetimes or strings. "
            f"Received: dtype {array.dtype}."
        )
    return frozen(array)


def check_exact(array: np.ndarray, what: str) -> None:
    """Raises if float64 cannot hold the integers of a column exactly."""
    if array.dtype.kind in "iu" and len(array):
        if int(array.max()) > _EXACT or int(array.min()) < -_EXACT:
            raise ValueError(
                f"{what} holds integers beyond 2**53 beside missing values or "
                "floats, and would lose digits. Write missing ids as -1, or "
                "use strings."
            )


def concat_arrays(
    arrays: Sequence[np.ndarray], what: str = "a column"
) -> np.ndarray:
    """Joins vectors that hold the same column of several parts.

    Empty parts do not affect the dtype. Integers beside floats become
    floats, and parts of only NaN beside strings become `None`.
    """
    if len(arrays) == 1:
        return arrays[0]
    parts = [a for a in arrays if len(a)] or [arrays[0]]
    if len(parts) == 1:
        return parts[0]
    kinds = {a.dtype.kind for a in parts}
    if "O" in kinds and len(kinds) > 1:
        parts = [_as_objects(a, what) for a in parts]
    elif kinds & set("mM") and len(kinds) > 1:
        raise ValueError(f"{what} holds both datetimes and other values.")
    elif np.result_type(*parts).kind == "f" and kinds & set("iu"):
        for part in parts:
            check_exact(part, what)
    return np.concatenate(parts)


def _as_objects(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind == "O":
        return array
    if array.dtype.kind == "f" and np.isnan(array).all():
        return np.full(len(array), None, object)
    raise ValueError(
        f"{what} holds text in one part of the data and {array.dtype} in "
        "another. Use one type for the whole column."
    )
