"""What the layers of this package have in common."""

import inspect
from typing import Any

import keras

__all__ = ["BaseLayer"]


class BaseLayer(keras.layers.Layer):
    """Layer whose constructor arguments are its config.

    Every constructor argument is kept in the attribute of its name;
    `get_config` serializes these attributes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in _constructor_arguments(type(self)):
            config[name] = _serialized(getattr(self, name))
        return config

    def build_from_config(self, config: dict[str, Any]) -> None:
        # Version 0.1 stored the shapes of masks too, under these names.
        shapes = dict(config.get("shapes_dict", {}))
        shapes.pop("valid_shape", None)
        if len(shapes) == 1 and "input_shape" not in config:
            (shape,) = shapes.values()
            config = {"input_shape": shape}
        elif shapes:
            config = {"shapes_dict": shapes}
        super().build_from_config(config)

    def _part(
        self, part_class: Any, name: str, *shapes: Any, **options: Any
    ) -> Any:
        """Makes a sublayer of the same dtype policy, built for `shapes`."""
        part = part_class(dtype=self.dtype_policy, name=name, **options)
        part.build(*shapes)
        return part

    def _layer_norm(self, name: str, shape: Any) -> Any:
        norm = keras.layers.LayerNormalization
        return self._part(norm, name, shape, epsilon=1e-5)

    def _rms_norm(self, name: str, shape: Any) -> Any:
        rms_norm = keras.layers.RMSNormalization
        norm = self._part(rms_norm, name, shape, epsilon=1e-5)
        norm.supports_masking = True  # as that of other norms of Keras
        return norm

    def _kernel(self, name: str, inputs: int, outputs: int) -> Any:
        return self.add_weight(
            name=name, shape=(inputs, outputs), initializer="glorot_uniform"
        )

    def _zeros(self, name: str, *shape: int) -> Any:
        return self.add_weight(name=name, shape=shape, initializer="zeros")


def _constructor_arguments(layer_class: Any) -> tuple[str, ...]:
    parameters = inspect.signature(layer_class).parameters.values()
    return tuple(
        parameter.name
        for parameter in parameters
        if parameter.kind is not parameter.VAR_KEYWORD
    )


def _serialized(value: Any) -> Any:
    if isinstance(value, keras.initializers.Initializer):
        return keras.initializers.serialize(value)
    if isinstance(value, keras.regularizers.Regularizer):
        return keras.regularizers.serialize(value)
    if isinstance(value, keras.constraints.Constraint):
        return keras.constraints.serialize(value)
    if callable(value):
        return keras.activations.serialize(value)
    return value
