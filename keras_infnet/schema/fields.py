"""Fields: categorical ids and numbers."""

import dataclasses
from typing import Any, NamedTuple

from keras_infnet.schema.value_checks import (
    check_choice,
    check_count,
    check_flag,
    check_name,
)

__all__ = [
    "Categorical",
    "Field",
    "InputSpec",
    "Numeric",
    "raw_dtype",
    "table_kind",
    "values_axis",
]


class InputSpec(NamedTuple):
    """Shape and dtype of one named input.

    Args:
        shape: tuple of integers and `None`, without the batch axis.
        dtype: string.
    """

    shape: tuple[int | None, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A field of ids.

    Ids are looked up in a vocabulary learned on the training part, or hashed
    into a fixed number of buckets. Id 0 of a table is "padding, missing or
    unknown"; known ids start at 1.

    Args:
        name: string. Column and model input.
        dtype: `"int"` or `"string"`. Kind of the raw ids. Negative integers
            and empty strings mean "missing". Defaults to `"int"`.
        min_count: integer. Ids seen fewer times in the training part become
            unknown. Defaults to `1`.
        max_size: integer or `None`. Largest number of ids kept, the most
            frequent first. `None` keeps all. Defaults to `None`.
        hash_buckets: integer or `None`. Hash ids into this many buckets
            instead of learning a vocabulary. Defaults to `None`.
        multivalued: boolean. Whether one row holds a list of ids (or a string
            of ids joined by `separator`). Their embeddings are averaged.
            Defaults to `False`.
        max_values: integer. Maximum number of ids kept per row; further ids
            are dropped. Defaults to `8`.
        separator: string. Separates the ids of a multi-valued text column.
            Defaults to `","`.
        table: string or `None`. Name of the embedding table; fields with the
            same table share ids and embeddings. `None` means a separate table
            with the name of the field. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> Categorical("tag", multivalued=True, max_values=4).table_name
    'tag'
    """

    name: str
    dtype: str = "int"
    min_count: int = 1
    max_size: int | None = None
    hash_buckets: int | None = None
    multivalued: bool = False
    max_values: int = 8
    separator: str = ","
    table: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "field")
        where = f"of field {self.name!r}"
        check_choice(self.dtype, ("int", "string"), f"dtype {where}")
        check_count(self.min_count, f"min_count {where}")
        check_flag(self.multivalued, f"multivalued {where}")
        check_count(self.max_values, f"max_values {where}")
        if self.max_size is not None:
            check_count(self.max_size, f"max_size {where}")
        if self.hash_buckets is not None:
            check_count(self.hash_buckets, f"hash_buckets {where}")
        if self.table is not None:
            check_name(self.table, "table")
        if not isinstance(self.separator, str) or not self.separator:
            raise ValueError(
                f"separator {where} must be a non-empty string. "
                f"Received: {self.separator!r}."
            )

    @property
    def table_name(self) -> str:
        """Name of the embedding table."""
        return self.table or self.name

    @property
    def fixed_size(self) -> int | None:
        """Number of rows of the table, if known before fitting."""
        return None if self.hash_buckets is None else self.hash_buckets + 1


@dataclasses.dataclass(frozen=True)
class Numeric:
    """A continuous field, binned and embedded.

    Bin edges are learned on the training part. Id 0 is "missing" (NaN); the
    bins are 1 to `bins`. Infinite values fall into the outermost bins.

    Args:
        name: string. Column and model input.
        bins: integer. Largest number of bins. Defaults to `32`.
        binning: `"quantile"` (equally many rows per bin) or `"log"` (edges
            evenly spaced in the logarithm). Defaults to `"quantile"`.
        table: string or `None`. Name of the embedding table, as for
            `Categorical`. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> Numeric("price", bins=16).fixed_size
    17
    """

    name: str
    bins: int = 32
    binning: str = "quantile"
    table: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "field")
        where = f"of field {self.name!r}"
        check_count(self.bins, f"bins {where}", 2)
        check_choice(self.binning, ("quantile", "log"), f"binning {where}")
        if self.table is not None:
            check_name(self.table, "table")

    @property
    def table_name(self) -> str:
        """Name of the embedding table."""
        return self.table or self.name

    @property
    def fixed_size(self) -> int:
        """Number of rows of the table: one per bin and one for "missing"."""
        return self.bins + 1


Field = Categorical | Numeric


def values_axis(part: Field) -> tuple[int, ...]:
    """Returns the shape of one row of `part`."""
    if isinstance(part, Categorical) and part.multivalued:
        return (part.max_values,)
    return ()


def raw_dtype(part: Field) -> str:
    """Returns the dtype of raw values."""
    if isinstance(part, Numeric):
        return "float32"
    return "int64" if part.dtype == "int" else "string"


def table_kind(part: Field) -> tuple[Any, ...]:
    """Returns the settings that all fields of one table must share."""
    if isinstance(part, Numeric):
        return ("Numeric", part.bins, part.binning)
    return (
        "Categorical",
        part.dtype,
        part.hash_buckets,
        part.min_count,
        part.max_size,
    )
