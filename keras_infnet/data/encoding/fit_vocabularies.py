"""Learning vocabularies and bin edges; the columns needed for it."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_infnet.data.encoding.bins import BinLearner
from keras_infnet.data.encoding.cleaning import Place, clean
from keras_infnet.data.encoding.nesting import (
    arrange,
    coverage,
    map_values,
)
from keras_infnet.data.encoding.vocabularies import IdCounter
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Column
from keras_infnet.schema import Categorical, Field, Numeric, Schema

__all__ = [
    "Learned",
    "check_columns",
    "cleaned",
    "learn",
    "learned_tables",
    "raw_columns",
    "text_columns",
]


class Learned(NamedTuple):
    """What is learned, by table: ids in order, and bin edges."""

    vocabularies: dict[str, np.ndarray]
    boundaries: dict[str, np.ndarray]


def learn(schema: Schema, source: Any) -> Learned:
    """Streams over the training part once."""
    source = open_source(source, text_columns(schema))
    check_columns(source.columns, raw_columns(schema, labels=False))
    learners = {
        table: IdCounter(part)
        if isinstance(part, Categorical)
        else BinLearner(part)
        for table, part in learned_tables(schema).items()
    }
    readers = list(_table_readers(schema, learners))
    # With nothing to learn, one column is read to detect an empty source.
    names = {name for name, _, _ in readers} or {schema.fields[0].name}
    num_rows = 0
    for index, chunk in enumerate(source.chunks(sorted(names))):
        num_rows += len(chunk)
        try:
            for stream, (name, part, events) in enumerate(readers):
                raw = arrange(chunk[name], part, Place(name), events)
                learner = learners[part.table_name]
                _add(learner, part, raw, Place(name), stream)
        except ValueError as error:
            raise ValueError(f"{source.describe(index)}: {error}") from error
    if not num_rows:
        raise ValueError(
            "the training part has no rows. Give `fit` at least one row."
        )
    learned = Learned({}, {})
    for table, learner in learners.items():
        if isinstance(learner, IdCounter):
            learned.vocabularies[table] = learner.vocabulary()
        else:
            learned.boundaries[table] = learner.boundaries()
    return learned


def cleaned(part: Field, raw: Column, place: Place) -> Column:
    """Cleans the innermost values of an arranged column."""
    return map_values(raw, place, lambda v, at: clean(part, v, at))


def _add(
    learner: IdCounter | BinLearner,
    part: Field,
    raw: Column,
    place: Place,
    stream: int,
) -> None:
    """Counts every stored value as often as rows hold it."""
    column, held = cleaned(part, raw, place), None
    while isinstance(column, ListColumn):
        held = coverage(column, held)
        column = column.values
    if isinstance(learner, IdCounter):
        learner.add(column, held)
    else:
        learner.add(column if held is None else column[held > 0], stream)


# ---------------------------------------------------------- columns needed


def raw_columns(schema: Schema, labels: bool = True) -> tuple[str, ...]:
    """Returns the raw columns that encoding reads."""
    names = [part.name for part in schema.fields]
    for behavior in schema.behaviors:
        names += behavior.raw_columns
    if schema.is_timed and schema.request_time is not None:
        names.append(schema.request_time)
    if labels:
        names += [task.label_column for task in schema.tasks]
        if schema.group is not None:
            names.append(schema.group)
    return tuple(dict.fromkeys(names))


def text_columns(schema: Schema) -> tuple[str, ...]:
    """Returns the columns of text, even where they look like numbers."""
    return tuple(
        name
        for name, spec in schema.raw_inputs.items()
        if spec.dtype == "string"
    )


def check_columns(known: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises one `ValueError` for all columns that a table lacks."""
    known, wanted = list(known), list(wanted)
    lacking = [name for name in wanted if name not in known]
    if not lacking:
        return
    described = []
    for name in lacking:
        close = difflib.get_close_matches(name, known, 1)
        hint = f" (nearest: {close[0]!r})" if close else ""
        described.append(f"{name!r}{hint}")
    raise ValueError(
        f"the table lacks {len(lacking)} of the {len(wanted)} columns that "
        f"the schema describes: {', '.join(described)}. Rename or add them. "
        f"Received: {', '.join(known)}."
    )


def learned_tables(schema: Schema) -> dict[str, Field]:
    """Returns the tables that have something to learn, with one reader."""
    return {
        table: parts[0]
        for table, parts in schema.tables.items()
        if isinstance(parts[0], Numeric) or parts[0].hash_buckets is None
    }


def _table_readers(
    schema: Schema, tables: Iterable[str]
) -> Iterator[tuple[str, Field, bool]]:
    """Yields the columns from which tables are learned.

    These are the fields of a table, and where no field reads it, the
    attributes of behaviors. Yields column, part, and whether it holds
    events.
    """
    tables = set(tables)
    rest = set(tables)
    for name, part, behavior in schema.columns():
        if behavior is None and part.table_name in tables:
            rest.discard(part.table_name)
            yield name, part, False
        if behavior is not None and part.table_name in rest:
            yield name, part, True
