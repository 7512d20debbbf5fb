"""Call arguments and outputs of layers, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = [
    "check_arguments",
    "flat",
    "named",
    "nested",
    "outputs_of",
    "same_setting",
    "symbol",
]


def check_arguments(
    inputs: Mapping[str, Any], mask: str | None, padded: Any
) -> None:
    """Raises `ValueError` for arguments that `check_layer` cannot use."""
    arrays = flat(inputs)
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) < 2:
            raise ValueError(
                "`inputs` must be arrays of two or more rows. Received: "
                f"inputs[{name!r}] of shape {array.shape}."
            )
    if isinstance(padded, str) or not isinstance(padded, Sequence):
        raise ValueError(
            "`padded` must be a list of names of `inputs`. Received: "
            f"padded={padded!r}."
        )
    for name in padded:
        if name not in inputs:
            raise ValueError(
                f"`padded` must name {sorted(inputs)}. Received: "
                f"padded={padded!r}."
            )
    if mask is None:
        return
    owner = mask.removesuffix("_mask") if isinstance(mask, str) else mask
    if mask not in arrays or owner not in (*arrays, "mask"):
        raise ValueError(
            "`mask` must be a name of `inputs`: 'mask', or the name of an "
            f"input followed by '_mask'. Inputs: {sorted(arrays)}. Received: "
            f"mask={mask!r}."
        )
    if arrays[mask].dtype != bool or arrays[mask].ndim != 2:
        raise ValueError(
            "`mask` must name a boolean array of shape (rows, tokens). "
            f"Received: mask={mask!r}, {arrays[mask].dtype} of shape "
            f"{arrays[mask].shape}."
        )
    if not padded:
        raise ValueError(
            "`padded` must name the inputs with the axis of the mask. "
            f"Received: padded={padded!r}, mask={mask!r}."
        )


def same_setting(name: str, given: Any, stored: Any) -> bool:
    """Returns whether a config holds an argument.

    Keras stores some in another form, for which this is true: policies and
    initializers as dicts, one number for all axes as a list, and activations
    by their main name.
    """
    if isinstance(given, (list, tuple)) and isinstance(stored, (list, tuple)):
        return len(given) == len(stored) and all(
            same_setting(name, one, other)
            for one, other in zip(given, stored, strict=True)
        )
    if isinstance(given, str) and isinstance(stored, str):
        same = given.lower() == stored.lower()
        return same or name.endswith("activation")
    if isinstance(given, (int, float)) and isinstance(stored, (int, float)):
        return given == stored
    return True


def symbol(name: str, value: Any, any_length: bool = False) -> Any:
    """Makes a symbolic input like an array; the length of axis 1 may vary."""
    shape = list(np.shape(value)[1:])
    if any_length:
        shape[0] = None
    return keras.Input(shape, dtype=np.asarray(value).dtype.name, name=name)


def flat(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arrays by name, `"argument.key"` if an argument is a dict."""
    found: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": x for key, x in value.items()}
        else:
            found[name] = value
    return {name: np.asarray(x) for name, x in found.items()}


def nested(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Reverses `flat`."""
    result: dict[str, Any] = {}
    for name, tensor in tensors.items():
        argument, _, key = name.partition(".")
        if key:
            result.setdefault(argument, {})[key] = tensor
        else:
            result[argument] = tensor
    return result


def named(outputs: Any) -> dict[str, Any]:
    """Returns outputs by name: key, position in a tuple, or `"outputs"`."""
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, (tuple, list)):
        return {str(i): value for i, value in enumerate(outputs)}
    return {"outputs": outputs}


def outputs_of(model: Any, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Returns outputs as NumPy arrays, compiled on JAX to save minutes."""
    if keras.backend.backend() == "jax":
        if not model.compiled:
            model.compile(jit_compile=True)
        outputs = model.predict_on_batch(dict(arrays))
    else:
        outputs = model(dict(arrays), training=False)
    return {
        name: np.asarray(ops.convert_to_numpy(y)).astype("float32")
        for name, y in named(outputs).items()
    }
