"""Gradients, and compiled functions, on every backend."""

import keras
import numpy as np
import pytest
from keras import ops, tree

BACKEND = keras.backend.backend()

#: For cases that prove little more on JAX, where compiling takes long.
SLOW_ON_JAX = (pytest.mark.slow,) if BACKEND == "jax" else ()


def projected(outputs, seed=0):
    """A random weighted sum of all outputs, so that no gradients cancel."""
    rng = np.random.default_rng(seed)
    total = 0.0
    for output in tree.flatten(outputs):
        weights = rng.standard_normal(tuple(output.shape))
        weights = ops.convert_to_tensor(weights, "float32")
        total = total + ops.sum(ops.cast(output, "float32") * weights)
    return total


def value_and_gradients(function, variables):
    """`function()` and its gradients by Keras variables, in NumPy."""
    count = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    value, found = count(function, variables)
    return ops.convert_to_numpy(value), [
        None if g is None else ops.convert_to_numpy(g) for g in found
    ]


def without_gradient(function, variables):
    """Paths of the variables that no gradient reaches."""
    if not variables:
        return []
    _, found = value_and_gradients(function, variables)
    return [
        variable.path
        for variable, gradient in zip(variables, found, strict=True)
        if gradient is None
        or not np.isfinite(gradient).all()
        or not np.abs(gradient).max() > 0
    ]


def _tensorflow(function, variables):
    import tensorflow as tf

    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        loss = function()
    found = tape.gradient(loss, values)
    found = [None if g is None else tf.convert_to_tensor(g) for g in found]
    return loss, found


def _jax(function, variables):
    import jax

    def loss(values):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function()

    return jax.jit(jax.value_and_grad(loss))([v.value for v in variables])


_COMPILED = {}


def run(layer, inputs):
    """`layer(**inputs)`, or `layer(inputs)` of a model; compiled on JAX.

    Eager JAX compiles every operation for every shape, which takes ten times
    as long as compiling the whole call.
    """

    def call(inputs):
        if isinstance(layer, keras.Model):
            return layer(inputs)
        return layer(**inputs)

    if BACKEND != "jax":
        return call(inputs)
    import jax

    def stateless(values, inputs):
        mapping = list(zip(layer.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return call(inputs)

    # Keep the layer with its function, so that its `id` is not reused.
    _, function = _COMPILED.setdefault(id(layer), (layer, jax.jit(stateless)))
    return function([v.value for v in layer.variables], inputs)


def _torch(function, variables):
    import torch

    values = [variable.value for variable in variables]
    loss = function()
    found = torch.autograd.grad(loss, values, allow_unused=True)
    return loss, found


def compiled(model):
    """The model as a function of its inputs, in a TensorFlow graph."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda inputs: model(inputs))
    return lambda inputs: run(model, inputs)
