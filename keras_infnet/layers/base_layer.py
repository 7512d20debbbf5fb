"""Base class of the layers of this package."""

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_infnet.layers.masking import check_masks
from keras_infnet.utils.argument_checks import check_positive, check_rate

__all__ = ["BaseLayer"]

# Keras's functions for objects, by the last word of an argument's name.
_OBJECTS: dict[str, Any] = {
    "activation": (keras.activations.get, keras.activations.serialize),
    "initializer": (keras.initializers.get, keras.initializers.serialize),
    "regularizer": (keras.regularizers.get, keras.regularizers.serialize),
    "constraint": (keras.constraints.get, keras.constraints.serialize),
}
# Type hints of sizes.
_SIZES = (int, int | None, Sequence[int], Sequence[int] | None)
# Sizes that may be 0, which leaves a part out.
_OPTIONAL_SIZES = ("num_gaps", "num_queries")


class BaseLayer(keras.layers.Layer):
    """Layer whose config is its constructor arguments.

    A constructor calls `_store(locals())`, which checks sizes and dropout rates
    and keeps every argument in the attribute of its name; `get_config`
    serializes these attributes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def _store(self, arguments: Mapping[str, Any]) -> None:
        """Checks and keeps constructor arguments, resolving Keras objects."""
        for name, hint in _constructor_arguments(type(self)).items():
            if name not in arguments:
                continue
            value = arguments[name]
            if name == "dropout":
                check_rate(dropout=value)
            elif hint in _SIZES and not _is_left_out(name, hint, value):
                check_positive(**{name: value})
            get, _ = _OBJECTS.get(name.rpartition("_")[2], (None, None))
            if get is not None:
                value = get(value)
            if isinstance(value, list):
                value = tuple(value)
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in _constructor_arguments(type(self)):
            value = getattr(self, name)
            _, serialize = _OBJECTS.get(name.rpartition("_")[2], (None, None))
            if serialize is not None and callable(value):
                value = serialize(value)
            config[name] = value
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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) + len(kwargs) > 1:
            layer_class: Any = type(self)
            names = _call_arguments(layer_class)
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            check_masks({name: given.get(name) for name in names})
        return super().__call__(*args, **kwargs)

    def compute_output_shape(self, input_shape: Any, *other_shapes: Any) -> Any:
        """Returns the shape of the first call argument."""
        return input_shape

    def _part(
        self, part_class: Any, name: str, *shapes: Any, **options: Any
    ) -> Any:
        """Makes a sublayer of the same dtype policy, built for `shapes`."""
        part = part_class(dtype=self.dtype_policy, name=name, **options)
        part.build(*shapes)
        return part

    def _dense(self, name: str, shape: Any, units: int, **options: Any) -> Any:
        return self._part(
            keras.layers.Dense, name, shape, units=units, **options
        )

    def _layer_norm(self, name: str, shape: Any) -> Any:
        norm = keras.layers.LayerNormalization
        return self._part(norm, name, shape, epsilon=1e-5)

    def _rms_norm(self, name: str, shape: Any) -> Any:
        rms_norm = keras.layers.RMSNormalization
        norm = self._part(rms_norm, name, shape, epsilon=1e-5)
        norm.supports_masking = True  # as in Keras's other normalizations
        return norm

    def _weight(
        self, name: str, *shape: int, initializer: Any = "glorot_uniform"
    ) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    def _zeros(self, name: str, *shape: int) -> Any:
        return self._weight(name, *shape, initializer="zeros")

    def _small_table(self, name: str, *shape: int) -> Any:
        """Makes a table of learned vectors, such as those of positions."""
        normal = keras.initializers.RandomNormal(stddev=0.02)
        return self._weight(name, *shape, initializer=normal)


@functools.cache
def _call_arguments(layer_class: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(layer_class.call).parameters)[1:]


def _constructor_arguments(layer_class: Any) -> dict[str, Any]:
    """Returns the type hints of the constructor arguments but `**kwargs`."""
    # Not of the class: up to Python 3.11.2 that is the signature of `__new__`.
    parameters = inspect.signature(layer_class.__init__).parameters
    return {
        parameter.name: parameter.annotation
        for parameter in list(parameters.values())[1:]  # without `self`
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def _is_left_out(name: str, hint: Any, value: Any) -> bool:
    if value is None:
        return hint in (int | None, Sequence[int] | None)
    return name in _OPTIONAL_SIZES and value == 0 and value is not False
