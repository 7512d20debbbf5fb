"""Sequences of past events."""

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

from keras_infnet.schema.fields import Categorical, Field, Numeric
from keras_infnet.schema.value_checks import (
    check_count,
    check_flag,
    check_name,
    nearest_name,
)

__all__ = ["Behavior", "SchemaColumn", "sequence_column"]


def sequence_column(behavior: str, attribute: str) -> str:
    """Names the list column of an attribute, or of `"time"`."""
    return f"{behavior}_{attribute}"


@dataclasses.dataclass(frozen=True)
class Behavior:
    """A sequence of past events, the newest last.

    In a table every attribute is the list column `column(attribute)`,
    `"{behavior}_{attribute}"`, and the event times, where used, are the list
    column `time_column`, `"{behavior}_time"`. A model reads the encoded
    attributes under the same names, beside `mask_input`,
    `"{behavior}_mask"`, and, where timed, `gap_input`, `"{behavior}_gap"`.

    Args:
        name: string.
        attributes: list of strings, `Categorical` and `Numeric`. A string
            names a field of the schema, whose kind of values and embedding
            table the attribute shares.
        max_length: integer. Number of newest events kept. Defaults to `50`.
        timed: boolean. Whether event times are given, in the unit of the
            schema's request time. Defaults to `False`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> like = Behavior("like", ["video_id", "author_id"], max_length=20)
    >>> like.column("author_id"), like.mask_input, like.time_column
    ('like_author_id', 'like_mask', 'like_time')
    """

    name: str
    attributes: tuple[str | Field, ...]
    max_length: int = 50
    timed: bool = False

    def __post_init__(self) -> None:
        check_name(self.name, "behavior")
        if isinstance(self.attributes, str) or not isinstance(
            self.attributes, Iterable
        ):
            raise ValueError(
                f"attributes of behavior {self.name!r} must be a list. "
                f"Received: {self.attributes!r}. Write [{self.attributes!r}]."
            )
        object.__setattr__(self, "attributes", tuple(self.attributes))
        check_count(self.max_length, f"max_length of behavior {self.name!r}")
        check_flag(self.timed, f"timed of behavior {self.name!r}")
        if not self.attributes:
            raise ValueError(
                f"behavior {self.name!r} needs at least one attribute."
            )
        for attribute in self.attributes:
            if not isinstance(attribute, (str, Categorical, Numeric)):
                raise ValueError(
                    f"attributes of behavior {self.name!r} must be field "
                    "names, Categorical or Numeric. "
                    f"Received: {attribute!r}."
                )

    def column(self, attribute: str | Field) -> str:
        """Returns the name of the column and input of an attribute.

        Raises:
            ValueError: If the behavior has no such attribute.
        """
        name = _name(attribute)
        names = [_name(known) for known in self.attributes]
        if name not in names:
            raise ValueError(
                nearest_name(name, names, f"attribute of {self.name!r}")
            )
        return sequence_column(self.name, name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns and inputs of all attributes, in order."""
        return tuple(self.column(attribute) for attribute in self.attributes)

    @property
    def time_column(self) -> str:
        """Name of the raw column of the event times."""
        return sequence_column(self.name, "time")

    @property
    def mask_input(self) -> str:
        """Name of the padding mask, a model input: `True` at events."""
        return f"{self.name}_mask"

    @property
    def gap_input(self) -> str:
        """Name of the model input that holds time gap buckets."""
        return f"{self.name}_gap"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all model inputs: attributes, mask and, if timed, gap."""
        gap = (self.gap_input,) if self.timed else ()
        return (*self.columns, self.mask_input, *gap)

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Names of all raw columns: attributes and, if timed, event times."""
        time = (self.time_column,) if self.timed else ()
        return (*self.columns, *time)


def _name(attribute: Any) -> Any:
    return getattr(attribute, "name", attribute)


class SchemaColumn(NamedTuple):
    """Field or attribute of a behavior, with the name of its column.

    Args:
        name: string. Raw column and model input.
        part: `Categorical` or `Numeric`.
        behavior: `Behavior` whose events the column holds; `None` for a
            field.
    """

    name: str
    part: Field
    behavior: Behavior | None
