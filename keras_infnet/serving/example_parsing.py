"""Rows as serialised `tf.train.Example`s."""

from typing import Any

from keras_infnet.schema import InputSpec, Schema
from keras_infnet.serving.signatures import missing_value, required_inputs

__all__ = ["lengths_name", "parse_examples"]


def lengths_name(name: str) -> str:
    """Names the feature that cuts a flat list of values into events.

    An `Example` knows no lists of lists. The values of all events of an
    attribute with several values stand in one list, and this feature holds
    how many belong to each event.

    Args:
        name: string. Name of the input.

    Returns:
        String.

    Example:

    >>> lengths_name("watched_tag")
    'watched_tag_lengths'
    """
    return f"{name}_lengths"


def parse_examples(serialized: Any, schema: Schema) -> dict[str, Any]:
    """Reads raw inputs from serialised `tf.train.Example`s in a graph.

    Features are named as `schema.raw_inputs`. Those of `required_inputs`
    must be there; others are missing where they are left out, and lists have
    any length.

    Args:
        serialized: string tensor of shape `(rows,)`.
        schema: `keras_infnet.schema.Schema`.

    Returns:
        Dict of the names of `schema.raw_inputs` to tensors, lists padded at
        the end with missing values.
    """
    import tensorflow as tf

    specs = schema.raw_inputs
    required = required_inputs(schema)
    features = {
        name: _feature(name, spec, name in required)
        for name, spec in specs.items()
    }
    parsed = tf.io.parse_example(serialized, features)
    inputs = {}
    for name, spec in specs.items():
        value = parsed[name]
        if spec.shape:
            value = value.to_tensor(missing_value(spec).item())
            value = tf.ensure_shape(value, [None, *spec.shape])
        inputs[name] = value
    return inputs


def _feature(name: str, spec: InputSpec, required: bool) -> Any:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(spec.dtype)
    if not spec.shape:
        default = None if required else missing_value(spec).item()
        return tf.io.FixedLenFeature([], dtype, default)
    partitions = []
    if len(spec.shape) > 1:
        partitions.append(tf.io.RaggedFeature.RowLengths(lengths_name(name)))
    return tf.io.RaggedFeature(
        dtype, name, partitions=partitions, row_splits_dtype=tf.int64
    )
