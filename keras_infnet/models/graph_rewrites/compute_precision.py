"""Trained models that compute in half precision."""

from typing import Any

import keras

from keras_infnet.layers import StackedEmbedding

__all__ = ["in_compute_dtype"]


def in_compute_dtype(model: Any, dtype: str) -> Any:
    """Returns a model with the same weights that computes in `dtype`.

    Every layer is created again from its config with the policy
    `"mixed_" + dtype`, so that it keeps in float32 what it must. Embedding
    tables are shared and not copied; outputs stay float32.
    """
    policy = f"mixed_{dtype}"
    made: dict[int, tuple[Any, Any]] = {}

    def recreate(layer: Any) -> Any:
        if isinstance(layer, keras.layers.InputLayer):
            return layer
        if isinstance(layer, StackedEmbedding):
            # Its table may be too large to copy.
            return _with_same_table(layer, policy)
        if not isinstance(layer, keras.Layer):
            return layer
        config = {**layer.get_config(), "dtype": policy}
        new = type(layer).from_config(config)
        made[id(layer)] = (layer, new)
        return new

    copy = keras.models.clone_model(model, clone_function=recreate)
    for layer, new in made.values():
        new.set_weights(layer.get_weights())
    return copy


def _with_same_table(layer: StackedEmbedding, policy: str) -> StackedEmbedding:
    """Returns a layer that reads the table of `layer`."""
    new = StackedEmbedding.from_config({**layer.get_config(), "dtype": policy})
    new.embeddings = layer.embeddings
    new.built = True
    return new
