"""Guesses of the meaning of a single column."""

import keyword
import logging
import re

import numpy as np
import pandas as pd

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.schema import Categorical, Field, Numeric

__all__ = [
    "describe_lists",
    "describe_values",
    "name_fault",
    "skip",
    "whole",
]

_LOGGER = logging.getLogger("keras_infnet")

# Last words of names that mark ids rather than measurements.
_ID_WORDS = frozenset(
    "ad ads album app artist author brand campaign category channel city "
    "code country device hour id ids item music page product query scenario "
    "seller session shop slot store tab tag topic type user video "
    "weekday".split()
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")

# Integers with more distinct values than this are measurements, unless their
# names mark them as ids.
_FEW = 100
# Vocabularies above this size leave out ids seen once, so that the model
# learns an embedding of unknown ids.
_LARGE = 1000
# Text that differs in almost every row is not a feature.
_UNIQUE = 0.95
_SEPARATORS = (",", "|", ";")


def skip(name: str, why: str) -> Field | None:
    """Logs that a column is left out of the draft."""
    _LOGGER.info("column %r is left out of the draft: %s", name, why)
    return None


def name_fault(name: str) -> str | None:
    """Returns why a name is invalid for a field or behavior, if it is."""
    if not _NAME.match(name):
        return "it is not a valid name of a field"
    if keyword.iskeyword(name):
        return "its name is a word of the Python language; rename it"
    return None


def describe_lists(name: str, column: ListColumn) -> Field | None:
    """Returns the field of a list column that belongs to no behavior."""
    fault = name_fault(name)
    if fault:
        return skip(name, fault)
    values = column.values
    if isinstance(values, ListColumn):
        return skip(name, "it holds lists of lists")
    if not len(values):
        return skip(name, "all its lists are empty")
    if values.dtype.kind not in "biuO" and not whole(values):
        return skip(name, f"it holds lists of {values.dtype}")
    return Categorical(
        name,
        dtype="string" if values.dtype.kind == "O" else "int",
        min_count=_min_count(pd.unique(values)),
        multivalued=True,
        max_values=_typical(column.lengths, 8),
    )


def describe_values(
    name: str, column: np.ndarray, forced: bool = False
) -> Field | None:
    """Drafts the field of a column of scalars; `forced` makes them ids."""
    fault = name_fault(name)
    if fault:
        return skip(name, fault)
    kind = column.dtype.kind
    known = column[~np.asarray(pd.isna(column), dtype=bool)]
    if kind == "O":
        known = known[np.asarray(known != "", dtype=bool)]
    if not len(known):
        return skip(name, "it has no values")
    if kind in "mM":
        return skip(name, "it holds times; derive hour or age from it")
    distinct = pd.unique(known)
    ids = forced or name.lower().rpartition("_")[2] in _ID_WORDS
    many = len(distinct) > _LARGE
    if (
        (kind == "O" or ids)
        and many
        and not forced
        and len(distinct) > _UNIQUE * len(known)
    ):
        return skip(name, "almost every row has a distinct value")
    if kind == "O" and _are_lists(distinct):
        return skip(
            name,
            "its texts are lists such as '[1, 2]'; write the table as Parquet, "
            "which keeps lists, or join the values by commas",
        )
    if kind == "O":
        separator = _separator(distinct)
        return Categorical(
            name,
            dtype="int"
            if separator and _all_integers(distinct, separator)
            else "string",
            min_count=_min_count(distinct),
            multivalued=separator is not None,
            separator=separator or ",",
        )
    few = kind in "biu" and len(distinct) <= _FEW
    if (kind != "f" or whole(known)) and (ids or few):
        return Categorical(name, min_count=_min_count(distinct))
    return Numeric(name)


def whole(values: np.ndarray) -> bool:
    """Returns whether all known values are whole numbers."""
    if values.dtype.kind != "f":
        return values.dtype.kind in "biu"
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool((np.trunc(known) == known).all())


def _min_count(distinct: np.ndarray) -> int:
    return 2 if len(distinct) > _LARGE else 1


def _typical(lengths: np.ndarray, most: int) -> int:
    filled = lengths[lengths > 0]
    if not len(filled):
        return 1
    return int(min(most, max(1, np.quantile(filled, 0.95))))


def _separator(texts: np.ndarray) -> str | None:
    """Returns the separator of texts that are lists of recurring items."""
    for separator in _SEPARATORS:
        series = pd.Series(texts, dtype=object).astype(str)
        if not series.str.contains(separator, regex=False).any():
            continue
        if _all_integers(texts, separator):
            return separator
        items = series.str.split(separator).explode().str.strip()
        if 2 * items.nunique() <= len(texts):
            return separator
    return None


def _are_lists(texts: np.ndarray) -> bool:
    """Returns whether all texts look like lists in Python or JSON."""
    series = pd.Series(texts, dtype=object).astype(str).str.strip()
    return bool(series.str.fullmatch(r"\[.*\]", flags=re.DOTALL).all())


def _all_integers(texts: np.ndarray, separator: str) -> bool:
    mark = re.escape(separator)
    pattern = rf"\s*-?\d+\s*(?:{mark}\s*-?\d+\s*)*"
    series = pd.Series(texts, dtype=object).astype(str)
    return bool(series.str.fullmatch(pattern).all())
