"""Random rows that cover the edge cases of an encoder."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import (
    GAP_BUCKETS,
    Behavior,
    Categorical,
    Field,
    Numeric,
    Schema,
)

if TYPE_CHECKING:
    from keras_infnet.data.encoding.encoder import Encoder

__all__ = ["example_inputs", "example_rows"]

_NOW = 1_700_000_000  # seconds


def example_rows(encoder: "Encoder", rows: int = 32, seed: int = 0) -> Table:
    """Draws raw rows of known, unknown and missing values.

    Numbers are at and between bin edges, or infinite; lists are empty, short,
    full and too long; events are recent, old, in the future or at unknown
    times, and some are padding.
    """
    rng = np.random.default_rng(seed)
    schema = encoder.schema
    columns: dict[str, Column] = {}
    for part in schema.fields:
        columns[part.name] = _column(encoder, part, rows, rng)
    for behavior in schema.behaviors:
        columns.update(_behavior(encoder, behavior, rows, rng))
    if schema.is_timed:
        ago = rng.integers(0, 100, rows)
        request = (_NOW - ago) * _second(schema)
        request[rng.random(rows) < 0.1] = -1
        columns[str(schema.request_time)] = request
    return Table(columns)


def example_inputs(
    schema: Schema, rows: int = 32, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draws encoded rows.

    >>> from keras_infnet.schema import Task
    >>> schema = Schema([Numeric("price", bins=4)], [Task("buy")])
    >>> example_inputs(schema, rows=3)["price"].shape
    (3,)
    """
    rng = np.random.default_rng(seed)

    def ids(part: Field, shape: tuple[int, ...]) -> np.ndarray:
        if isinstance(part, Categorical) and part.multivalued:
            shape += (part.max_values,)
        size = schema.table_size(part.table_name)
        return rng.integers(0, size, shape).astype(np.int32)

    inputs = {part.name: ids(part, (rows,)) for part in schema.fields}
    for behavior in schema.behaviors:
        length = behavior.max_length
        lengths = np.minimum(_lengths(length, rows, rng), length)
        mask = np.arange(length) < lengths[:, None]
        for part in schema.attributes(behavior):
            drawn = ids(part, (rows, length))
            drawn[~mask] = 0
            inputs[behavior.column(part)] = drawn
        inputs[behavior.mask_input] = mask
        if behavior.timed:
            gaps = rng.integers(0, GAP_BUCKETS + 1, (rows, length))
            inputs[behavior.gap_input] = (gaps * mask).astype(np.int32)
    return inputs


def _second(schema: Schema) -> int:
    return round(1000 / schema.milliseconds)


def _column(
    encoder: "Encoder", part: Field, rows: int, rng: np.random.Generator
) -> Column:
    if isinstance(part, Categorical) and part.multivalued:
        lengths = _lengths(part.max_values, rows, rng)
        values = _values(encoder, part, int(lengths.sum()), rng)
        return _lists(values, lengths)
    return _values(encoder, part, rows, rng)


def _behavior(
    encoder: "Encoder",
    behavior: Behavior,
    rows: int,
    rng: np.random.Generator,
) -> dict[str, Column]:
    schema = encoder.schema
    lengths = _lengths(behavior.max_length, rows, rng)
    events = int(lengths.sum())
    columns: dict[str, Column] = {
        behavior.column(part): _lists(
            _column(encoder, part, events, rng), lengths
        )
        for part in schema.attributes(behavior)
    }
    if behavior.timed:
        # From now to years ago, with equally many events in each bucket.
        ago = (2.0 ** rng.uniform(-1, 27, events)).astype(np.int64)
        times = (_NOW - ago) * _second(schema)
        times += rng.integers(0, _second(schema), events)
        times[rng.random(events) < 0.1] = -1
        columns[behavior.time_column] = _lists(times, lengths)
    return columns


def _values(
    encoder: "Encoder", part: Field, count: int, rng: np.random.Generator
) -> np.ndarray:
    pool: np.ndarray
    if isinstance(part, Numeric):
        edges = np.asarray(encoder.boundaries[part.table_name], np.float32)
        corners = np.array([np.nan, np.inf, -np.inf, 0, -1, 1e9], np.float32)
        below = np.nextafter(edges, np.float32(-np.inf))
        pool = np.concatenate([edges, below, corners])
        return pool[rng.integers(0, len(pool), count)]
    known = encoder.vocabularies.get(part.table_name, np.empty(0, object))
    other: list[Any]
    if part.dtype == "int":
        other = [-1, 0, 2**31, 2**62, int(rng.integers(1, 2**40))]
    else:
        other = ["", "never seen", "ångström \u96ea", str(rng.random())]
    pool = np.array(other, np.int64 if part.dtype == "int" else object)
    unknown = pool[rng.integers(0, len(pool), count)]
    if not len(known):
        return unknown
    picked = known.astype(pool.dtype)[rng.integers(0, len(known), count)]
    return np.where(rng.random(count) < 0.75, picked, unknown)


def _lengths(longest: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    lengths = rng.integers(0, longest + 1, rows)
    corners = np.array([0, 1, longest, longest + 3])
    count = min(rows, len(corners))
    lengths[:count] = corners[:count]
    return rng.permutation(lengths)


def _lists(values: Column, lengths: np.ndarray) -> ListColumn:
    ends = np.cumsum(lengths)
    return ListColumn(values, ends - lengths, ends)
