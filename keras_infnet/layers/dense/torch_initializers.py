"""How PyTorch starts dense layers."""

from typing import Any

import keras

__all__ = ["torch_uniform"]


def torch_uniform() -> Any:
    """Returns the initializer that PyTorch gives dense layers.

    Even between plus and minus `1 / sqrt(inputs)`.
    """
    return keras.initializers.VarianceScaling(
        scale=1 / 3, mode="fan_in", distribution="uniform"
    )
