"""Argument checks of functions that add columns to rows."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_infnet.data.sources.table import Table

__all__ = ["check_distinct", "check_flag", "check_new"]


def check_distinct(names: Iterable[str], advice: str) -> None:
    """Raises a `ValueError` if two new columns have the same name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"two of the columns to be added would be named {name!r}. "
                f"{advice}"
            )
        seen.add(name)


def check_new(names: Iterable[str], rows: Table, advice: str) -> None:
    """Raises a `ValueError` if a new column already exists."""
    for name in names:
        if name in rows:
            raise ValueError(
                f"the rows already have a column {name!r}, which would be "
                f"replaced. {advice}, or drop the column first: "
                f"`rows.without([{name!r}])`."
            )


def check_flag(flags: Any, name: str, what: str) -> None:
    """Raises a `ValueError` if a column holds values other than 0, 1, NaN."""
    if not isinstance(flags, np.ndarray):
        raise ValueError(
            f"{what}: flag {name!r} must hold one value a row. Received a "
            "column of lists."
        )
    if not len(flags):
        return
    if flags.dtype.kind not in "biuf":
        kind = "text" if flags.dtype.kind == "O" else str(flags.dtype)
        raise ValueError(
            f"{what}: flag {name!r} must hold the numbers 0 and 1 or "
            f"booleans, NaN where missing. Received: {kind}, "
            f"{flags[0]!r} in row 0. Convert the column."
        )
    wrong = (flags != 0) & (flags != 1) & (flags == flags)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: flag {name!r} must be 0, 1 or NaN. Received: "
            f"{flags[row]} in row {row}. Compare the column with a threshold "
            "first."
        )
