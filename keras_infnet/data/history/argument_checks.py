"""Checks of the arguments of functions that add columns to rows."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.sources.table import Table

__all__ = ["as_table", "check_distinct", "check_flag", "check_new"]


def as_table(data: Any, what: str) -> Table:
    """Returns a table, converted if it is a pandas frame.

    Args:
        data: `Table` or `pandas.DataFrame`.
        what: string. What the table is, for the error.

    Returns:
        A `Table`.

    Raises:
        TypeError: If it is something else.

    Example:

    >>> as_table(pd.DataFrame({"a": [1, 2]}), "the rows")
    Table(2 rows: a)
    """
    if isinstance(data, pd.DataFrame):
        return Table.from_pandas(data)
    if not isinstance(data, Table):
        raise TypeError(
            f"{what} must be a Table or a pandas DataFrame. Received: "
            f"{type(data).__name__}. Convert it, for example by "
            "`Table.from_arrow` or `open_source(...).read()`."
        )
    return data


def check_distinct(names: Iterable[str], advice: str) -> None:
    """Raises a `ValueError` if two columns to be added have one name.

    Args:
        names: strings. The columns to be added.
        advice: string. What to do about it.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"two of the columns to be added would be named {name!r}. "
                f"{advice}"
            )
        seen.add(name)


def check_new(names: Iterable[str], rows: Table, advice: str) -> None:
    """Raises a `ValueError` if a column to be added exists in the rows.

    Args:
        names: strings. The columns to be added.
        rows: `Table`.
        advice: string. What to do about it, besides dropping the column.
    """
    for name in names:
        if name in rows:
            raise ValueError(
                f"the rows already have a column {name!r}, which would be "
                f"replaced. {advice}, or drop the column first: "
                f"`rows.without([{name!r}])`."
            )


def check_flag(flags: Any, name: str, what: str) -> None:
    """Raises a `ValueError` if a column is no flag of 0, 1 and NaN.

    Args:
        flags: column of the table, of any type.
        name: string. The column, for the error.
        what: string. The table, for the error.
    """
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
