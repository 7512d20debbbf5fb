"""Draft of a schema from a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.drafts.draft_behaviors import group_lists
from keras_infnet.data.drafts.draft_fields import (
    describe_lists,
    describe_values,
    name_fault,
    skip,
)
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import Field, Schema, Task, nearest_name

__all__ = ["draft_schema"]


def draft_schema(
    source: Any,
    labels: Sequence[str],
    group: str | None = None,
    request_time: str | None = None,
    scenario: str | None = None,
    exclude: Iterable[str] = (),
    max_length: int = 50,
) -> Schema:
    """Proposes a schema from the first rows of a table, to be edited.

    - A label of 0, 1 and NaN becomes a binary `Task`, another one a
      regression.
    - Text, booleans and integers that look like ids (by the last word of the
      name, or because there are few of them) become `Categorical`, other
      numbers `Numeric`.
    - Lists, and text such as `"12,5"`, become a multi-valued `Categorical`.
    - Lists that share a prefix and have equal lengths in every row
      (`watched_video_id`, `watched_author_id`, `watched_time`) become a
      `Behavior`; attributes named as a field share its table.

    Other columns are left out and logged. A draft cannot tell which columns
    are known at the time of the request: list those measured afterwards, such
    as the watch time, in `exclude`.

    Args:
        source: table, path or paths; see `keras_infnet.data.open_source`.
            Only the first chunk is read.
        labels: list of strings. Columns to predict.
        group: string or `None`. Column of the user. Defaults to `None`.
        request_time: string or `None`. Column of the time of the request.
            Defaults to `None`.
        scenario: string or `None`. Column of the scenario. Defaults to
            `None`.
        exclude: names of columns to leave out. Defaults to `()`.
        max_length: integer. Longest behavior. Defaults to `50`.

    Returns:
        A `Schema`, not fitted.

    Raises:
        ValueError: If a named column does not exist, a label is not a number,
            or nothing is left to be a field.

    Example:

    >>> table = Table({
    ...     "user_id": [1, 2, 1],
    ...     "video_id": [7, 8, 7],
    ...     "price": [0.5, 1.5, 2.5],
    ...     "watched_video_id": ListColumn.from_lists([[], [7, 8], [7]]),
    ...     "watched_author_id": ListColumn.from_lists([[], [1, 1], [1]]),
    ...     "click": [0, 1, 0],
    ... })
    >>> schema = draft_schema(table, ["click"], group="user_id")
    >>> [field.name for field in schema.fields]
    ['user_id', 'video_id', 'price']
    >>> [part.name for part in schema.attributes("watched")]
    ['video_id', 'author_id']
    """
    if isinstance(labels, str):
        labels = [labels]
    if not labels:
        raise ValueError("`labels` must name at least one column to predict.")
    source = open_source(source)
    named = [*labels, *exclude]
    named += [n for n in (group, request_time, scenario) if n is not None]
    for name in named:
        if name not in source.columns:
            raise ValueError(nearest_name(name, source.columns, "column"))
    table = source.read_chunk(0)
    taken = {*labels, *exclude, request_time}
    free = _usable(
        [name for name in table.columns if name not in taken],
        [n for n in (group, scenario, request_time) if n is not None],
    )
    lists = {n: table[n] for n in free if isinstance(table[n], ListColumn)}
    scalars = [name for name in free if name not in lists]
    fields: dict[str, Field] = {}
    for name in scalars:
        forced = name in (group, scenario)
        field = describe_values(name, table[name], forced)
        if field is not None:
            fields[name] = field
    behaviors, rest = group_lists(
        lists, fields, request_time is not None, max_length
    )
    for name in rest:
        field = describe_lists(name, lists[name])
        if field is not None:
            fields[name] = field
    if not fields:
        raise ValueError(
            "no column is left to be a field. Received: "
            f"{', '.join(table.columns)}."
        )
    return Schema(
        fields=list(fields.values()),
        behaviors=behaviors,
        tasks=[_task(name, table) for name in labels],
        group=group,
        scenario=scenario,
        request_time=request_time,
        time_unit=_time_unit(table, request_time),
    )


def _usable(names: Iterable[str], before: Iterable[str]) -> list[str]:
    """Drops names that differ only by case, which TensorFlow refuses.

    Keeps the first of them, or the one in `before`.
    """
    seen = {name.lower(): name for name in before}
    usable = []
    for name in names:
        if name_fault(name):
            usable.append(name)  # left out by the functions that describe it
            continue
        other = seen.setdefault(name.lower(), name)
        if name != other and name not in before:
            skip(name, f"its name differs from {other!r} only by case")
        else:
            usable.append(name)
    return usable


def _task(name: str, table: Table) -> Task:
    column: Column = table[name]
    if isinstance(column, ListColumn) or column.dtype.kind not in "biuf":
        raise ValueError(
            f"label {name!r} must be a column of numbers. Received: "
            f"{'lists' if isinstance(column, ListColumn) else column.dtype}."
        )
    known = column[~np.asarray(pd.isna(column), dtype=bool)]
    binary = bool(np.isin(known, (0, 1)).all())
    return Task(name, kind="binary" if binary else "regression")


def _time_unit(table: Table, request_time: str | None) -> str:
    """Infers the unit of times between 1973 and 2286 from their size."""
    if request_time is None or table[request_time].dtype.kind not in "iuf":
        return "ms"
    known = table[request_time]
    known = known[~np.isnan(known)] if known.dtype.kind == "f" else known
    if not len(known):
        return "ms"
    typical = float(np.median(known))
    for unit, least in (("ns", 1e17), ("us", 1e14), ("ms", 1e11)):
        if typical >= least:
            return unit
    return "s"
