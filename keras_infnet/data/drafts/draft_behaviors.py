"""Detection of behaviors among the list columns of a table."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from keras_infnet.data.drafts.draft_fields import (
    describe_lists,
    describe_values,
    name_fault,
    whole,
)
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.schema import Behavior, Field, Numeric
from keras_infnet.schema.behavior import sequence_column

__all__ = ["group_lists"]

_TIME = "time"


def group_lists(
    lists: Mapping[str, ListColumn],
    fields: Mapping[str, Field],
    timed: bool,
    max_length: int,
) -> tuple[list[Behavior], list[str]]:
    """Groups list columns that share a prefix and the lengths of all rows.

    A single column is a behavior if the rest of its name is a field. Also
    returns the names of the columns outside all behaviors.
    """
    left = dict(lists)
    behaviors: list[Behavior] = []
    described: dict[str, Field] = {}
    while True:
        prefix, names = _best_prefix(left, fields)
        if not names:
            return behaviors, list(left)
        columns = {name[len(prefix) + 1 :]: left.pop(name) for name in names}
        times = columns.pop(_TIME, None)
        attributes: list[str | Field] = []
        for name, column in columns.items():
            attribute = _attribute(prefix, name, column, fields, described)
            if attribute is not None:
                attributes.append(attribute)
        if attributes:
            lengths = next(iter(columns.values())).lengths
            behaviors.append(
                Behavior(
                    prefix,
                    tuple(attributes),
                    max_length=max(1, min(max_length, int(lengths.max()))),
                    timed=timed and times is not None,
                )
            )


def _attribute(
    prefix: str,
    name: str,
    column: ListColumn,
    fields: Mapping[str, Field],
    described: dict[str, Field],
) -> str | Field | None:
    values = column.values
    if name in fields and _fits(fields[name], values):
        return name
    if name in described and _fits(described[name], values):
        return described[name]
    field = (
        describe_lists(name, values)
        if isinstance(values, ListColumn)
        else describe_values(name, values)
    )
    if field is None:
        return None
    if name in fields or name in described:
        # Values of another kind under the same name get a separate table.
        return dataclasses.replace(field, table=sequence_column(prefix, name))
    described[name] = field
    return field


def _fits(field: Field, values: np.ndarray | ListColumn) -> bool:
    """Returns whether values can share the table of a field."""
    nested = isinstance(values, ListColumn)
    kind = values.dtype.kind
    if isinstance(field, Numeric):
        return not nested and kind in "biuf"
    if kind == "O" and field.multivalued and not nested:
        return True  # joined text
    if nested != field.multivalued:
        return False
    if field.dtype == "string":
        return kind == "O"
    while isinstance(values, ListColumn):
        values = values.values
    return whole(values)


def _best_prefix(
    lists: Mapping[str, ListColumn], fields: Mapping[str, Field]
) -> tuple[str, list[str]]:
    best: tuple[tuple[int, int, int], str, list[str]] = ((0, 0, 0), "", [])
    for name in lists:
        marks = [i for i, letter in enumerate(name) if letter == "_"]
        for mark in marks:
            prefix = name[:mark]
            if name_fault(prefix):
                continue
            names = _same_lengths(prefix, name, lists)
            suffixes = [n[mark + 1 :] for n in names]
            known = sum(suffix in fields for suffix in suffixes)
            values = [s for s in suffixes if s != _TIME]
            if not values or (not known and len(names) < 2):
                continue
            score = (known, len(names), len(prefix))
            if score > best[0]:
                best = (score, prefix, names)
    return best[1], best[2]


def _same_lengths(
    prefix: str, name: str, lists: Mapping[str, ListColumn]
) -> list[str]:
    lengths = lists[name].lengths
    return [
        other
        for other, column in lists.items()
        if other.startswith(f"{prefix}_")
        and len(other) > len(prefix) + 1
        and np.array_equal(column.lengths, lengths)
    ]
