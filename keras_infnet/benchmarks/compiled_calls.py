"""Compiled calls of a layer, on every backend."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

__all__ = ["compiled_call"]


def compiled_call(
    layer: Any, inputs: Any, training: bool = False
) -> Callable[[], None]:
    """Makes a function that calls a layer and waits for the outputs.

    JAX compiles with XLA, TensorFlow to a graph; PyTorch runs eagerly, as
    Keras does.

    Example:

    >>> layer = keras.layers.Dense(2)
    >>> layer.build((None, 3))
    >>> _ = compiled_call(layer, ops.ones((1, 3)))()
    """
    tensors = tree.map_structure(ops.convert_to_tensor, inputs)
    makers = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    return makers[keras.backend.backend()](layer, tensors, training)


def _total(outputs: Any) -> Any:
    return sum(ops.sum(output) for output in tree.flatten(outputs))


def _jax(layer: Any, inputs: Any, training: bool) -> Callable[[], None]:
    import jax

    weights = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    def forward(weights: Any, inputs: Any) -> Any:
        args = () if isinstance(inputs, dict) else (inputs,)
        named = inputs if isinstance(inputs, dict) else {}
        return layer.stateless_call(weights, others, *args, **named)[0]

    if training:
        moving, fixed = _by_kind(inputs)  # masks have no gradient

        def total(weights: Any, moving: Any) -> Any:
            return _total(forward(weights, _merge(moving, fixed)))

        gradient = jax.jit(jax.grad(total, argnums=(0, 1)))
        return lambda: jax.block_until_ready(gradient(weights, moving))
    compiled = jax.jit(forward)
    return lambda: jax.block_until_ready(compiled(weights, inputs))


def _tensorflow(layer: Any, inputs: Any, training: bool) -> Callable[[], None]:
    import tensorflow as tf

    weights = [variable.value for variable in layer.trainable_variables]
    moving, fixed = _by_kind(inputs)

    def forward(moving: Any) -> Any:
        return _call(layer, _merge(moving, fixed))

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


def _torch(layer: Any, inputs: Any, training: bool) -> Callable[[], None]:
    import torch

    weights = [variable.value for variable in layer.trainable_variables]
    moving, fixed = _by_kind(inputs)
    if training:
        for tensor in tree.flatten(moving):
            tensor.requires_grad_()

    def run() -> None:
        with torch.set_grad_enabled(training):
            outputs = _call(layer, _merge(moving, fixed))
        if training:
            torch.autograd.grad(
                _total(outputs),
                [*weights, *tree.flatten(moving)],
                allow_unused=True,
            )
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return run


def _call(layer: Any, inputs: Any) -> Any:
    """Calls a layer; a dict has its named arguments."""
    return layer(**inputs) if isinstance(inputs, dict) else layer(inputs)


def _by_kind(inputs: Any) -> tuple[Any, Any]:
    """Splits the inputs into those with gradients and the others."""
    if not isinstance(inputs, dict):
        return inputs, None
    kinds = {
        name: keras.backend.standardize_dtype(tensor.dtype)
        for name, tensor in inputs.items()
    }
    moving = {n: t for n, t in inputs.items() if kinds[n].startswith("float")}
    return moving, {n: t for n, t in inputs.items() if n not in moving}


def _merge(moving: Any, fixed: Any) -> Any:
    return moving if fixed is None else {**moving, **fixed}
