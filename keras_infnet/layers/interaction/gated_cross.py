"""Gated cross layer of GDCN."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["GatedCross"]


@export("keras_infnet.layers.GatedCross")
class GatedCross(BaseLayer):
    """Gated cross layer of GDCN.

    `y = x0 * (W_c x + b) * sigmoid(W_g x) + x`, with the input `x0` of the
    first cross layer and the input `x` of this one.

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

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, x0_shape: Any, x_shape: Any) -> None:
        width = x_shape[-1]
        self.kernel = self._weight("kernel", width, width)
        self.gate_kernel = self._weight("gate_kernel", width, width)
        self.bias = self._zeros("bias", width)

    def call(self, x0: Any, x: Any) -> Any:
        gate = ops.sigmoid(ops.matmul(x, self.gate_kernel))
        return x0 * (ops.matmul(x, self.kernel) + self.bias) * gate + x
