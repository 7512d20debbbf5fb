"""Explicit crosses whose information gate lets little through."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export

__all__ = ["GatedCross"]


@export("keras_infnet.layers.GatedCross")
class GatedCross(keras.layers.Layer):
    """One gated cross layer of GDCN.

    `y = x0 * (W_c x + b) * sigmoid(W_g x) + x`, with the input of the first
    layer `x0` and that of this one `x`.

    Args:
        **kwargs: Arguments of the base layer.

    Call arguments:
        x0: tensor of shape `(batch, features)`.
        x: tensor of the same shape.

    Returns:
        Tensor of the same shape.

    Example:

    >>> import numpy as np
    >>> x = np.ones((2, 6), "float32")
    >>> tuple(GatedCross()(x, x).shape)
    (2, 6)

    Reference:
    - [GDCN](https://doi.org/10.1145/3583780.3615089), gated cross network
    """

    def build(self, x0_shape: Any, x_shape: Any) -> None:
        width = x_shape[-1]
        self.kernel, self.gate_kernel = (
            self.add_weight(
                name=name, shape=(width, width), initializer="glorot_uniform"
            )
            for name in ("kernel", "gate_kernel")
        )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer="zeros"
        )
        self.built = True

    def call(self, x0: Any, x: Any) -> Any:
        gate = ops.sigmoid(ops.matmul(x, self.gate_kernel))
        return x0 * (ops.matmul(x, self.kernel) + self.bias) * gate + x

    def compute_output_shape(self, x0_shape: Any, x_shape: Any) -> Any:
        return x_shape
