"""Rows of a table in the form of a request."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.cleaning import times
from keras_infnet.data.encoding.error_location import Place
from keras_infnet.data.encoding.fit_vocabularies import cleaned
from keras_infnet.data.encoding.schema_columns import arrange, map_values
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import (
    Categorical,
    Field,
    Numeric,
    Schema,
    nearest_name,
)
from keras_infnet.serving.exporting.python_process import check_tensorflow
from keras_infnet.serving.exporting.run_saved_model import serialized_examples
from keras_infnet.serving.graph.signatures import (
    missing_value,
    required_inputs,
    shared_raw_inputs,
)

__all__ = [
    "encoded_request",
    "ranking_request",
    "raw_request",
    "serialize_examples",
]


def raw_request(
    table: Table, schema: Schema, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Turns rows into the inputs of the signature of raw values.

    Args:
        table: `keras_infnet.data.Table` with the raw columns of `schema`.
            Columns that a request may leave out may be absent; further
            columns are ignored.
        schema: `keras_infnet.schema.Schema`.
        names: names of the inputs that are made, `None` for all. Defaults to
            `None`.

    Returns:
        Dict of arrays, one an input that the table has. Lists are padded at
        the end to the longest of the table.

    Raises:
        ValueError: If a required column is absent, or a value does not fit
            its field.

    Example:

    >>> from keras_infnet.schema import Behavior, Task
    >>> schema = Schema(
    ...     [Categorical("item")], [Task("buy")], [Behavior("seen", ["item"])]
    ... )
    >>> table = Table(
    ...     {"item": [3, 4], "seen_item": ListColumn.from_lists([[7], [8, 9]])}
    ... )
    >>> raw_request(table, schema)["seen_item"].tolist()
    [[7, -1], [8, 9]]
    """
    specs = schema.raw_inputs
    names = specs.keys() if names is None else names
    required = [name for name in required_inputs(schema) if name in names]
    for name in required:
        if name not in table:
            raise ValueError(
                f"{nearest_name(name, table.columns, 'column')} Every row "
                "needs the single-valued categorical fields: "
                f"{', '.join(required)}."
            )
    request = {}
    for name, (part, events) in _readers(schema).items():
        if name not in table or name not in names:
            continue
        place = Place(name)
        column = table[name]
        if part is None:
            column = _times(column, schema.time_unit, place, events)
        else:
            column = arrange(column, part, place, events)
            column = cleaned(part, column, place)
        fill = missing_value(specs[name]).item()
        request[name] = _padded(column, fill)
    return request


def ranking_request(
    request: Table, candidates: Table, schema: Schema
) -> dict[str, np.ndarray]:
    """Turns a request and its candidates into the inputs of `rank`.

    Args:
        request: `keras_infnet.data.Table` of one row: what candidates share.
        candidates: `keras_infnet.data.Table`, one row a candidate.
        schema: `keras_infnet.schema.Schema`, with candidates.

    Returns:
        Dict of arrays, one an input that the tables have. Those that are
        shared have one row.

    Raises:
        ValueError: If `request` is not one row, a required column or every
            column of candidates is absent, or a value does not fit its field.
    """
    if len(request) != 1:
        raise ValueError(
            "a request is one row, of what all its candidates share. "
            f"Received: {len(request)} rows."
        )
    shared = shared_raw_inputs(schema)
    if not any(name in candidates for name in schema.candidates):
        raise ValueError(
            "the candidates have none of the columns that tell them apart: "
            f"{', '.join(schema.candidates)}. Received: "
            f"{', '.join(candidates.columns) or 'no column'}."
        )
    return {
        **raw_request(request, schema, shared),
        **raw_request(candidates, schema, schema.candidates),
    }


def _readers(schema: Schema) -> dict[str, tuple[Field | None, bool]]:
    """The field of every raw input, and whether it tells of events."""
    readers: dict[str, tuple[Field | None, bool]] = {
        name: (part, behavior is not None)
        for name, part, behavior in schema.columns()
    }
    for behavior in schema.behaviors:
        if behavior.timed:
            readers[behavior.time_column] = (None, True)
    if schema.is_timed:
        readers[str(schema.request_time)] = (None, False)
    return readers


def _times(column: Column, unit: str, place: Place, events: bool) -> Column:
    # Times are laid out as any single-valued column.
    column = arrange(column, Numeric(place.column), place, events)
    return map_values(column, place, lambda v, p: times(v, unit, p))


def _padded(column: Column, fill: object) -> np.ndarray:
    if not isinstance(column, ListColumn):
        return column
    lengths: tuple[int, ...] = ()
    level: Column = column
    while isinstance(level, ListColumn):
        lengths += (max(1, int(level.lengths.max(initial=0))),)
        level = level.values
    return column.pad(lengths if len(lengths) > 1 else lengths[0], fill)


def encoded_request(
    encoded: Mapping[str, Column] | Table, schema: Schema
) -> dict[str, np.ndarray]:
    """Pads encoded columns into the inputs of a model.

    Args:
        encoded: mapping of the encoded columns to vectors and `ListColumn`s,
            as `keras_infnet.data.Encoder.encode` returns them.
        schema: `keras_infnet.schema.Schema`.

    Returns:
        Dict of the names of `schema.inputs` to arrays, behaviours padded to
        their maximum length.
    """
    inputs: dict[str, np.ndarray] = {}
    for part in schema.fields:
        column = encoded[part.name]
        if isinstance(column, ListColumn):
            assert isinstance(part, Categorical)
            column = column.pad(part.max_values)
        inputs[part.name] = column
    for behavior in schema.behaviors:
        length = behavior.max_length
        names = []
        for part in schema.attributes(behavior):
            name = behavior.column(part)
            names.append(name)
            column = encoded[name]
            assert isinstance(column, ListColumn)
            shape: tuple[int, ...] = (length,)
            if isinstance(part, Categorical) and part.multivalued:
                shape += (part.max_values,)
            inputs[name] = column.pad(shape if len(shape) > 1 else length)
        if behavior.timed:
            column = encoded[behavior.gap_input]
            assert isinstance(column, ListColumn)
            inputs[behavior.gap_input] = column.pad(length)
        first = encoded[names[0]]
        assert isinstance(first, ListColumn)
        inputs[behavior.mask_input] = first.mask(length)
    return {name: inputs[name] for name in schema.inputs}


def serialize_examples(
    table: Table | pd.DataFrame, schema: Schema
) -> list[bytes]:
    """Writes raw rows as serialised `tf.train.Example`s.

    They are what the signature `serve_examples` takes. Features are named as
    the columns. An attribute of events with several values is one list, and
    a feature with `_lengths` behind its name holds how many values belong to
    each event.

    Args:
        table: `keras_infnet.data.Table` or pandas frame, as for
            `Servable.predict_raw`.
        schema: `keras_infnet.schema.Schema`.

    Returns:
        List of bytes, one a row.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If a required column is absent, or a value does not fit
            its field.
    """
    check_tensorflow()
    if isinstance(table, pd.DataFrame):
        table = Table.from_pandas(table)
    return serialized_examples(raw_request(table, schema))
