"""Parsing of serialized `tf.train.Example`s in a graph."""

from typing import Any

from keras_infnet.schema import InputSpec, Schema
from keras_infnet.serving.graph.signatures import missing_value, required_inputs

__all__ = ["lengths_name", "parse_examples"]

#: Limit of a padded list, 1 GiB of int64.
_MAX_CELLS = 2**27


def lengths_name(name: str) -> str:
    """Names the feature that divides a flat list of values into events.

    An `Example` has no lists of lists: an attribute with several values per
    event is one list, and this feature holds the number of values of each
    event.

    >>> lengths_name("watched_tag")
    'watched_tag_lengths'
    """
    return f"{name}_lengths"


def parse_examples(serialized: Any, schema: Schema) -> dict[str, Any]:
    """Reads raw inputs from serialized `tf.train.Example`s in a graph.

    Features are named as `schema.raw_inputs`. Those of `required_inputs` are
    required, others are missing values if absent, and lists have any length.
    The graph fails, with the name of the feature, if the lengths of events do
    not add up to the number of values, or if padded lists would fill the
    memory.
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
    """Divides the values of every row into its events.

    The parser of TensorFlow would take missing values from the next row.
    """
    import tensorflow as tf

    counts = values.row_lengths()
    # Checked one by one, since a sum of huge lengths overflows.
    most = tf.gather(counts, lengths.value_rowids())
    fits = (lengths.values >= 0) & (lengths.values <= most)
    wrong = tf.reduce_any(lengths.with_values(~fits), axis=1)
    wrong |= tf.reduce_sum(lengths, axis=1) != counts
    check = tf.raw_ops.Assert(
        condition=~tf.reduce_any(wrong),
        data=[
            f"{lengths_name(name)} must hold the number of values of {name} "
            f"of each event, and add up to all values of {name}. It does not "
            "in rows",
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
    """Pads lists to the longest one, unless that would fill the memory.

    One long list among many short ones takes few bytes in a request, but
    many when it is padded.
    """
    import tensorflow as tf

    shape = lists.bounding_shape()
    # Floats do not overflow.
    cells = tf.reduce_prod(tf.cast(shape, tf.float64))
    check = tf.raw_ops.Assert(
        condition=cells <= _MAX_CELLS,
        data=[
            f"the lists of {name} are too long, padded to the longest of all "
            f"rows: more than {_MAX_CELLS} values in an array of shape",
            shape,
            "Send fewer rows or shorter lists",
        ],
    )
    with tf.control_dependencies([check]):
        fill = tf.constant(missing_value(spec).item(), lists.dtype)
        padded = lists.to_tensor(tf.identity(fill))
    return tf.ensure_shape(padded, [None, *spec.shape])
