"""Dice, the data-adaptive activation of DIN."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["Dice"]


@export("keras_infnet.layers.Dice")
class Dice(BaseLayer):
    """Activation whose threshold follows the mean and variance of its input.

    `y = p x + alpha (1 - p) x` with `p = sigmoid(BatchNorm(x))`. `alpha` is
    learned per unit and starts at 0. The batch normalization has neither scale
    nor offset.

    Masking: padding is left out of the mean and the variance. The mask is
    passed on.

    Args:
        momentum: float. Momentum of the moving mean and variance. Defaults to
            `0.99`.
        epsilon: float. Added to the variance. Defaults to `1e-9`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, ..., units)`.
        mask: boolean tensor of the shape of `x` without its last axis.
            Optional.
        training: boolean. Whether to normalize with the statistics of the
            batch instead of the moving ones.

    Returns:
        Tensor of the shape of `x`.

    Example:

    >>> import numpy as np
    >>> tuple(Dice()(np.ones((2, 5, 3), "float32")).shape)
    (2, 5, 3)

    Reference:
    - [DIN](https://arxiv.org/abs/1706.06978), section 5.3
    """

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-9, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True
        self.normalization = keras.layers.BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=False,
            scale=False,
            # Half precision cannot represent epsilon.
            dtype="float32",
            name="normalization",
        )

    def build(self, x_shape: Any) -> None:
        self.normalization.build(x_shape)
        self.alpha = self._zeros("alpha", x_shape[-1])

    def call(
        self, x: Any, mask: Any = None, training: bool | None = None
    ) -> Any:
        normal = self.normalization(
            ops.cast(x, "float32"), training=training, mask=mask
        )
        share = ops.cast(ops.sigmoid(normal), x.dtype)
        return x * (share + self.alpha * (1.0 - share))
