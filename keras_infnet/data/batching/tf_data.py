"""Batches as a `tf.data.Dataset`."""

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from keras_infnet.data.batching.batch_arrays import input_shapes

if TYPE_CHECKING:
    from keras_infnet.data.batching.batches import Batches

__all__ = ["as_tf_data"]


def as_tf_data(batches: "Batches", prefetch: int) -> Any:
    """Returns the dataset of `Batches.to_tf_data`."""
    import tensorflow as tf

    schema = batches.schema
    shapes = input_shapes(schema)
    inputs = {
        name: tf.TensorSpec((None, *shapes[name]), spec.dtype)
        for name, spec in schema.inputs.items()
    }
    tasks = {
        name: tf.TensorSpec((None,), tf.float32) for name in schema.task_names
    }
    # Whole batches: work per row would cost more than the model.
    dataset = tf.data.Dataset.from_generator(
        _without_keeping(batches),
        output_signature=(
            (inputs, tasks, dict(tasks)) if batches.has_labels else (inputs,)
        ),
    )
    # Datasets and iterators derived from it keep it alive.
    dataset.batches = batches
    # With a known number of batches Keras shows its progress bar at once.
    known = tf.data.experimental.assert_cardinality(len(batches))
    options = tf.data.Options()
    # There is nothing to tune, and an iterator does not end before the tuner's
    # thread wakes: what takes 3.9 seconds took 5.12, and 1.2 took 2.55.
    options.autotune.enabled = False
    dataset = dataset.apply(known).prefetch(prefetch).with_options(options)
    # Models compare it with their own schema.
    dataset.schema = schema
    return dataset


def _without_keeping(batches: "Batches") -> Callable[[], Iterator[Any]]:
    """Returns `batches.pass_once`, holding only a weak reference.

    TensorFlow keeps the function of every generator until the process ends,
    which would keep the rows of the batches in memory.
    """
    reference = weakref.ref(batches)

    def pass_once() -> Iterator[Any]:
        found = reference()
        if found is None:
            raise RuntimeError(
                "the dataset of these batches was deleted. Keep a reference to "
                "the result of `to_tf_data` while reading from it."
            )
        return found.pass_once()

    return pass_once
