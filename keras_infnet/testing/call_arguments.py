"""Call arguments and outputs of layers, by name."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["flat", "named", "nested", "outputs_of", "randomize", "symbol"]


def symbol(name: str, value: Any, any_length: bool = False) -> Any:
    """A symbolic input like an array, of any length on axis 1 if wished."""
    shape = list(np.shape(value)[1:])
    if any_length:
        shape[0] = None
    return keras.Input(shape, dtype=np.asarray(value).dtype.name, name=name)


def flat(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name, `"argument.key"` where an argument is a dict."""
    found: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": x for key, x in value.items()}
        else:
            found[name] = value
    return {name: np.asarray(x) for name, x in found.items()}


def nested(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Call arguments from what `flat` gives."""
    result: dict[str, Any] = {}
    for name, tensor in tensors.items():
        argument, _, key = name.partition(".")
        if key:
            result.setdefault(argument, {})[key] = tensor
        else:
            result[argument] = tensor
    return result


def named(outputs: Any) -> dict[str, Any]:
    """Outputs by name: of a dict, of a tuple by place, or `"outputs"`."""
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, (tuple, list)):
        return {str(i): value for i, value in enumerate(outputs)}
    return {"outputs": outputs}


def outputs_of(model: Any, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs in NumPy; on JAX, eager operations would take minutes."""
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


def randomize(layer: Any) -> None:
    """Gives every weight random values, so that no bias is zero."""
    rng = np.random.default_rng(0)
    values = []
    for weight in layer.weights:
        noise = 0.4 * rng.standard_normal(weight.shape)
        if weight.path.endswith("gamma"):
            noise += 1.0
        if weight.path.endswith("moving_variance"):
            noise = 0.5 + np.abs(noise)
        values.append(noise.astype("float32"))
    layer.set_weights(values)
