"""Initializers that Keras lacks."""

from typing import Any

import keras

__all__ = ["glorot_of_each_matrix", "torch_uniform"]


def glorot_of_each_matrix(inputs: int, outputs: int) -> Any:
    """Glorot's uniform rule for each matrix of a stack.

    Keras would take the first of three axes for the size of a convolution
    window.
    """
    limit = (6.0 / (inputs + outputs)) ** 0.5
    return keras.initializers.RandomUniform(-limit, limit)


def torch_uniform() -> Any:
    """PyTorch's rule for dense layers: uniform in `+-1/sqrt(inputs)`."""
    return keras.initializers.VarianceScaling(
        scale=1 / 3, mode="fan_in", distribution="uniform"
    )
