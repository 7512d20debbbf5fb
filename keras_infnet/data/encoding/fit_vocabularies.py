"""Learning vocabularies and bin edges from the training part."""

from typing import Any, NamedTuple

import numpy as np

from keras_infnet.data.encoding.bins import BinLearner
from keras_infnet.data.encoding.cleaning import clean
from keras_infnet.data.encoding.error_location import Place
from keras_infnet.data.encoding.required_columns import (
    check_columns,
    learned_tables,
    raw_columns,
    table_readers,
    text_columns,
)
from keras_infnet.data.encoding.schema_columns import (
    arrange,
    coverage,
    map_values,
)
from keras_infnet.data.encoding.vocabularies import IdCounter
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Column
from keras_infnet.schema import Categorical, Field, Schema

__all__ = ["Learned", "cleaned", "learn"]


class Learned(NamedTuple):
    """What is learned, by table: ids in order, and bin edges."""

    vocabularies: dict[str, np.ndarray]
    boundaries: dict[str, np.ndarray]


def learn(schema: Schema, source: Any) -> Learned:
    """Streams over the training part once.

    Args:
        schema: `Schema`.
        source: whatever `open_source` takes.

    Returns:
        `Learned`.

    Raises:
        ValueError: If the part is empty, columns are missing, or values do
            not fit the schema.
    """
    source = open_source(source, text_columns(schema))
    check_columns(source.columns, raw_columns(schema, labels=False))
    learners = {
        table: IdCounter(part)
        if isinstance(part, Categorical)
        else BinLearner(part)
        for table, part in learned_tables(schema).items()
    }
    readers = list(table_readers(schema, learners))
    # With nothing to learn one column still tells an empty part.
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
