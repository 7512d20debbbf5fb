"""The encoder as TensorFlow operations, for an exported model."""

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_infnet.data.encoding.bins import gap_thresholds
from keras_infnet.data.encoding.hashing import HASH_KEY
from keras_infnet.schema import (
    GAP_BUCKETS,
    Behavior,
    Categorical,
    Field,
    Numeric,
    Schema,
)
from keras_infnet.serving.graph.row_operations import (
    broadcast_rows,
    compact,
    num_rows,
)

if TYPE_CHECKING:
    from keras_infnet.data.encoding.encoder import Encoder

__all__ = [
    "GraphEncoder",
    "gap_ids",
    "hash_buckets",
    "is_missing",
    "tidy_inputs",
]

_MISSING: dict[str, Any] = {"int64": -1, "string": "", "float32": math.nan}


class GraphEncoder:
    """Encodes raw values in a graph to the ids of `Encoder.encode`.

    An input of one row is broadcast to all rows, so that the history of a
    user is sent and encoded once for many candidates. `tables` holds one
    `tf.lookup.StaticHashTable` per vocabulary, which the saved module must
    track, or they are empty after loading.
    """

    def __init__(self, encoder: "Encoder") -> None:
        self.schema: Schema = encoder.schema
        self.boundaries = dict(encoder.boundaries)
        self.tables = {
            name: _lookup_table(vocabulary)
            for name, vocabulary in encoder.vocabularies.items()
            # TensorFlow has no empty tables.
            if len(vocabulary)
        }

    def encode(
        self, raw: Mapping[str, Any], shared: Collection[str] = ()
    ) -> dict[str, Any]:
        """Encodes `schema.raw_inputs`, with lists of any length and padding.

        Inputs in `shared` keep their one row; the others get equal rows.
        """
        encoded: dict[str, Any] = {}
        for part in self.schema.fields:
            values = raw[part.name]
            if isinstance(part, Categorical) and part.multivalued:
                values = _first_values(values, part)
            encoded[part.name] = self.ids(part, values)
        for behavior in self.schema.behaviors:
            encoded.update(self._encode_behavior(behavior, raw))
        return _equal_rows(encoded, shared)

    def _encode_behavior(
        self, behavior: Behavior, raw: Mapping[str, Any]
    ) -> dict[str, Any]:
        import tensorflow as tf

        parts = self.schema.attributes(behavior)
        names = behavior.columns
        columns, known = [], []
        for part, name in zip(parts, names, strict=True):
            column = raw[name]
            if isinstance(part, Categorical) and part.multivalued:
                column = _with_values(column)
                given = tf.reduce_any(~is_missing(column), axis=-1)
                # Before events are padded: a long list of values would
                # widen all of them.
                column = _first_values(column, part)
            else:
                given = ~is_missing(column)
            columns.append(column)
            known.append(given)
        fills = [_MISSING[column.dtype.name] for column in columns]
        if behavior.timed:
            columns.append(raw[behavior.time_column])
            fills.append(_MISSING["int64"])
        columns, valid = compact(columns, fills, known, behavior.max_length)
        encoded = {behavior.mask_input: valid}
        for part, name, column in zip(parts, names, columns, strict=False):
            encoded[name] = self.ids(part, column)
        if behavior.timed:
            gaps = gap_ids(
                raw[str(self.schema.request_time)][:, None],
                columns[-1],
                self.schema,
            )
            encoded[behavior.gap_input] = gaps
        return encoded

    def ids(self, part: Field, values: Any) -> Any:
        """Encodes the raw values of a field, of any shape, as int32 ids."""
        import tensorflow as tf

        table = part.table_name
        if isinstance(part, Numeric):
            # Sorted edges are one vector, so values must be one too.
            flat = tf.reshape(values, [-1])
            edges = np.asarray(self.boundaries[table], np.float32)
            bins = 1 + tf.searchsorted(edges, flat, side="right")
            bins = tf.reshape(bins, tf.shape(values))
            return tf.where(tf.math.is_nan(values), 0, bins)
        if part.hash_buckets is not None:
            return hash_buckets(values, part.hash_buckets)
        if table not in self.tables:
            return tf.zeros_like(values, tf.int32)
        ids = self.tables[table].lookup(values)
        # Also if a vocabulary contains the value that marks missing ones.
        return tf.where(is_missing(values), 0, ids)


def _lookup_table(vocabulary: np.ndarray) -> Any:
    import tensorflow as tf

    if vocabulary.dtype.kind in "iu":
        keys = tf.constant(vocabulary, tf.int64)
    else:
        keys = tf.constant(vocabulary.astype(object), tf.string)
    ids = tf.range(1, len(vocabulary) + 1, dtype=tf.int32)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, ids), default_value=0
    )


def is_missing(values: Any) -> Any:
    """Returns whether raw values are missing: negative, empty or NaN."""
    import tensorflow as tf

    if values.dtype == tf.string:
        return tf.equal(values, "")
    if values.dtype.is_floating:
        return tf.math.is_nan(values)
    return values < 0


def hash_buckets(values: Any, num_buckets: int) -> Any:
    """Hashes like `keras_infnet.data.hash_ids`, to 0 for missing values."""
    import tensorflow as tf

    if values.dtype == tf.string:
        buckets = tf.strings.to_hash_bucket_strong(
            values, num_buckets, list(HASH_KEY)
        )
    else:
        mixed = _splitmix64(tf.bitcast(values, tf.uint64))
        divisor = tf.constant(num_buckets, tf.uint64)
        buckets = tf.math.floormod(mixed, divisor)
    ids = 1 + tf.cast(buckets, tf.int32)
    return tf.where(is_missing(values), 0, ids)


def _splitmix64(x: Any) -> Any:
    import tensorflow as tf

    def fold(x: Any, bits: int) -> Any:
        shifted = tf.bitwise.right_shift(x, tf.constant(bits, tf.uint64))
        return tf.bitwise.bitwise_xor(x, shifted)

    x = fold(x, 30) * tf.constant(0xBF58476D1CE4E5B9, tf.uint64)
    x = fold(x, 27) * tf.constant(0x94D049BB133111EB, tf.uint64)
    return fold(x, 31)


def gap_ids(request: Any, event: Any, schema: Schema) -> Any:
    """Encodes the time gaps between events and the request.

    `1 + floor(log2(1 + seconds))`, at most `GAP_BUCKETS`, and 0 if a time is
    missing. Events after the request have a gap of 0 seconds.
    """
    import tensorflow as tf

    elapsed = request - event
    flat = tf.reshape(elapsed, [-1])
    thresholds = gap_thresholds(schema.time_unit)
    buckets = tf.searchsorted(thresholds, flat, side="right")
    buckets = tf.reshape(buckets, tf.shape(elapsed))
    known = (request >= 0) & (event >= 0)
    return tf.where(known, 1 + buckets, 0)


def _with_values(values: Any) -> Any:
    """Drops all events if the axis of values is empty.

    Such a tensor takes no bytes, whatever its number of events, but would
    when it is padded.
    """
    import tensorflow as tf

    shape = tf.shape(values)
    return values[:, : tf.where(shape[2] == 0, 0, shape[1])]


def _first_values(values: Any, part: Categorical) -> Any:
    """Cuts or pads the last axis to `max_values`."""
    import tensorflow as tf

    values = values[..., : part.max_values]
    shape = tf.shape(values)
    lacking = tf.concat([shape[:-1], [part.max_values - shape[-1]]], axis=0)
    fill = tf.constant(_MISSING[values.dtype.name], values.dtype)
    values = tf.concat([values, tf.fill(lacking, fill)], axis=-1)
    return tf.ensure_shape(values, [*values.shape[:-1], part.max_values])


def _equal_rows(
    tensors: Mapping[str, Any], shared: Collection[str]
) -> dict[str, Any]:
    """Broadcasts the rows of all inputs that are not shared."""
    import tensorflow as tf

    own = [tensor for name, tensor in tensors.items() if name not in shared]
    rows = num_rows(own)
    return {
        name: tf.ensure_shape(tensor, [1, *tensor.shape[1:]])
        if name in shared
        else broadcast_rows(tensor, rows)
        for name, tensor in tensors.items()
    }


def tidy_inputs(
    encoded: Mapping[str, Any], schema: Schema, shared: Collection[str] = ()
) -> dict[str, Any]:
    """Converts encoded inputs of any length to those of the data pipeline.

    Sequences are compacted and cut to the newest events, ids outside their
    table become unknown, and rows are broadcast. Inputs in `shared` keep
    their one row.
    """
    import tensorflow as tf

    def known(part: Field, ids: Any) -> Any:
        size = schema.table_size(part.table_name)
        return tf.where((ids >= 0) & (ids < size), ids, 0)

    single, tidy = [], {}
    for part in schema.fields:
        ids = encoded[part.name]
        if schema.inputs[part.name].shape:
            ids = known(part, ids)
        else:
            single.append(part)
        tidy[part.name] = ids
    for behavior in schema.behaviors:
        events = {
            behavior.column(part): known(part, encoded[behavior.column(part)])
            for part in schema.attributes(behavior)
        }
        if behavior.timed:
            gaps = encoded[behavior.gap_input]
            fits = (gaps >= 0) & (gaps <= GAP_BUCKETS)
            events[behavior.gap_input] = tf.where(fits, gaps, 0)
        columns, tidy[behavior.mask_input] = compact(
            [*events.values()],
            [0] * len(events),
            [encoded[behavior.mask_input]],
            behavior.max_length,
        )
        tidy.update(zip(events, columns, strict=True))
    tidy = _equal_rows(tidy, shared)
    for one_row in (False, True):
        parts = [part for part in single if (part.name in shared) == one_row]
        tidy.update(_known_ids(parts, tidy, schema))
    return tidy


def _known_ids(
    parts: list[Field], encoded: Mapping[str, Any], schema: Schema
) -> dict[str, Any]:
    """Replaces unknown ids of fields with one id per row.

    All fields at once, since for few rows the number of operations determines
    the latency.
    """
    import tensorflow as tf

    if not parts:
        return {}
    sizes = [[schema.table_size(part.table_name)] for part in parts]
    ids = tf.stack([encoded[part.name] for part in parts])
    ids = tf.where((ids >= 0) & (ids < sizes), ids, 0)
    return dict(
        zip([part.name for part in parts], tf.unstack(ids), strict=True)
    )
