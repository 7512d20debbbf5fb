"""Rows as serialized `tf.train.Example`s."""

from typing import Any

from keras_infnet.schema import InputSpec, Schema
from keras_infnet.serving.graph.signatures import missing_value, required_inputs

__all__ = ["lengths_name", "parse_examples"]

#: Of a padded list: 1 GiB where a value takes eight bytes.
_MOST_CELLS = 2**27


def lengths_name(name: str) -> str:
    """Names the feature that cuts a flat list of values into events.

    An `Example` knows no lists of lists. The values of all events of an
    attribute with several values stand in one list, and this feature holds
    how many belong to each event.

    >>> lengths_name("watched_tag")
    'watched_tag_lengths'
    """
    return f"{name}_lengths"


def parse_examples(serialized: Any, schema: Schema) -> dict[str, Any]:
    """Reads raw inputs from serialized `tf.train.Example`s in a graph.

    Features are named as `schema.raw_inputs`. Those of `required_inputs`
    must be there; others are missing where they are left out, and lists have
    any length. What cannot be read stops the graph with an error that names
    the feature: where lengths of events do not add up to the values there
    are, and where padded lists would fill the memory.
    """
    import tensorflow as tf

    specs = schema.raw_inputs
    required = required_inputs(schema)
    features = {
        name: _feature(spec, name in required) for name, spec in specs.items()
    }
    for name, spec in specs.items():
        if len(spec.shape) > 1:
            features[lengths_name(name)] = _ragged(tf.int64)
    parsed = tf.io.parse_example(serialized, features)
    inputs = {}
    for name, spec in specs.items():
        value = parsed[name]
        if len(spec.shape) > 1:
            value = _events(name, value, parsed[lengths_name(name)])
        if spec.shape:
            value = _padded(name, value, spec)
        inputs[name] = value
    return inputs


def _feature(spec: InputSpec, required: bool) -> Any:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(spec.dtype)
    if spec.shape:
        return _ragged(dtype)
    default = None if required else missing_value(spec).item()
    return tf.io.FixedLenFeature([], dtype, default)


def _ragged(dtype: Any) -> Any:
    import tensorflow as tf

    return tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)


def _events(name: str, values: Any, lengths: Any) -> Any:
    """Cuts the values of every row into its events.

    TensorFlow would do so while it parses, and take what is lacking from the
    row that follows.
    """
    import tensorflow as tf

    counts = values.row_lengths()
    # Each by itself: sums of huge ones start again below zero.
    most = tf.gather(counts, lengths.value_rowids())
    fits = (lengths.values >= 0) & (lengths.values <= most)
    wrong = tf.reduce_any(lengths.with_values(~fits), axis=1)
    wrong |= tf.reduce_sum(lengths, axis=1) != counts
    check = tf.raw_ops.Assert(
        condition=~tf.reduce_any(wrong),
        data=[
            f"{lengths_name(name)} must hold how many values of {name} belong "
            f"to each event, and add up to all of {name}. It does not in the "
            "rows",
            tf.where(wrong)[:, 0],
        ],
    )
    with tf.control_dependencies([check]):
        flat = tf.identity(lengths.values)
    inner = tf.RaggedTensor.from_row_lengths(
        values.values, flat, validate=False
    )
    return tf.RaggedTensor.from_row_splits(
        inner, lengths.row_splits, validate=False
    )


def _padded(name: str, lists: Any, spec: InputSpec) -> Any:
    """Pads lists to the longest one, unless there is no memory for that.

    One long list among many short ones, or one event of many values in a
    long history, takes few bytes in a request and any number here.
    """
    import tensorflow as tf

    shape = lists.bounding_shape()
    # As floats, which do not overflow.
    cells = tf.reduce_prod(tf.cast(shape, tf.float64))
    check = tf.raw_ops.Assert(
        condition=cells <= _MOST_CELLS,
        data=[
            f"the lists of {name} are too long, padded to the longest of all "
            f"rows: more than {_MOST_CELLS} values in an array of shape",
            shape,
            "Send fewer rows or shorter lists",
        ],
    )
    with tf.control_dependencies([check]):
        fill = tf.constant(missing_value(spec).item(), lists.dtype)
        padded = lists.to_tensor(tf.identity(fill))
    return tf.ensure_shape(padded, [None, *spec.shape])
