"""Models that compute in another type than they were trained in."""

from typing import Any

import keras

from keras_infnet.layers import StackedEmbedding

__all__ = ["in_compute_dtype"]


def in_compute_dtype(model: Any, dtype: str) -> Any:
    """Returns a model with the same weights that computes in another type.

    The layers are made anew from their settings, so that each keeps in
    float32 what it must, as if the model had been built in mixed precision.
    The embedding tables are not copied.

    Args:
        model: functional `keras.Model`.
        dtype: string. `"bfloat16"` or `"float16"`.

    Returns:
        `keras.Model` with the same inputs, and outputs in float32.

    Example:

    >>> from keras_infnet.models import SharedBottom
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     [Categorical("user"), Categorical("item")],
    ...     [Task("click")],
    ...     table_sizes={"user": 5, "item": 9},
    ... )
    >>> fast = in_compute_dtype(SharedBottom(schema), "bfloat16")
    >>> fast.get_layer("embedding").compute_dtype
    'bfloat16'
    """
    policy = f"mixed_{dtype}"
    made: dict[int, tuple[Any, Any]] = {}

    def made_anew(layer: Any) -> Any:
        if isinstance(layer, keras.layers.InputLayer):
            return layer
        if isinstance(layer, StackedEmbedding):
            # It has no parts, and a table that may be large.
            return _sharing(layer, policy)
        if not isinstance(layer, keras.Layer):
            return layer
        config = {**layer.get_config(), "dtype": policy}
        new = type(layer).from_config(config)
        made[id(layer)] = (layer, new)
        return new

    copy = keras.models.clone_model(model, clone_function=made_anew)
    for layer, new in made.values():
        new.set_weights(layer.get_weights())
    return copy


def _sharing(layer: StackedEmbedding, policy: str) -> StackedEmbedding:
    """A layer that reads the table of another."""
    new = StackedEmbedding.from_config({**layer.get_config(), "dtype": policy})
    new.embeddings = layer.embeddings
    new.built = True
    return new
