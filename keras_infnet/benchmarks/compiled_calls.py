"""Compiled calls of a layer, on every backend."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops, tree

__all__ = ["compiled_call"]

Tensors = dict[str, Any]


def compiled_call(
    layer: Any, inputs: Mapping[str, Any], training: bool = False
) -> Callable[[], None]:
    """Makes a function that calls a layer and waits for the outputs.

    Inputs are the call arguments by name. With `training`, gradients of
    weights and floating-point inputs are computed too. JAX compiles with XLA,
    TensorFlow to a graph; PyTorch runs eagerly, like Keras.

    Example:

    >>> layer = keras.layers.Dense(2)
    >>> layer.build((None, 3))
    >>> _ = compiled_call(layer, {"inputs": ops.ones((1, 3))})()
    """
    moving: Tensors = {}
    fixed: Tensors = {}
    for name, value in inputs.items():
        tensor = ops.convert_to_tensor(value)
        is_float = keras.backend.is_float_dtype(tensor.dtype)
        (moving if is_float else fixed)[name] = tensor
    makers = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    return makers[keras.backend.backend()](layer, moving, fixed, training)


def _total(outputs: Any) -> Any:
    return sum(ops.sum(output) for output in tree.flatten(outputs))


def _jax(
    layer: Any, moving: Tensors, fixed: Tensors, training: bool
) -> Callable[[], None]:
    import jax

    weights = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    # All inputs are arguments: XLA would fold constants.
    def forward(weights: Any, moving: Any, fixed: Any) -> Any:
        return layer.stateless_call(weights, others, **moving, **fixed)[0]

    def total(weights: Any, moving: Any, fixed: Any) -> Any:
        return _total(forward(weights, moving, fixed))

    function = jax.grad(total, argnums=(0, 1)) if training else forward
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(weights, moving, fixed))


def _tensorflow(
    layer: Any, moving: Tensors, fixed: Tensors, training: bool
) -> Callable[[], None]:
    import tensorflow as tf

    weights = [variable.value for variable in layer.trainable_variables]

    def forward(moving: Any) -> Any:
        return layer(**moving, **fixed)

    def backward(moving: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(moving)
            total = _total(forward(moving))
        return tape.gradient(
            total, [weights, moving], unconnected_gradients="zero"
        )

    function = tf.function(backward if training else forward, autograph=False)

    def run() -> None:
        # Reading one number waits for the whole function.
        tf.reshape(tree.flatten(function(moving))[-1][:1], [-1])[0].numpy()

    return run


def _torch(
    layer: Any, moving: Tensors, fixed: Tensors, training: bool
) -> Callable[[], None]:
    import torch

    variables = [variable.value for variable in layer.trainable_variables]
    variables += moving.values()
    for tensor in moving.values():
        tensor.requires_grad_(training)

    def run() -> None:
        with torch.set_grad_enabled(training):
            outputs = layer(**moving, **fixed)
        if training:
            total = _total(outputs)
            torch.autograd.grad(total, variables, allow_unused=True)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run
