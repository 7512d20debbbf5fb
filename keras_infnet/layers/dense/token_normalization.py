"""Layer normalization of tokens that keeps padding at zero."""

from typing import Any

import keras

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import zero_padding

__all__ = ["TokenNormalization"]


@export("keras_infnet.layers.TokenNormalization")
class TokenNormalization(BaseLayer):
    """Layer normalization of every token, with padding kept at zero.

    `LN(x) = gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta` over the
    width of the token.

    Masking: padding stays zero instead of becoming `beta`, and the mask is
    passed on.

    Args:
        epsilon: float. Added to the variance. Defaults to `1e-5`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.

    Returns:
        Tensor with the shape of `tokens`.

    Example:

    >>> import numpy as np
    >>> tokens = np.array([[[1.0, 3.0], [5.0, 5.0]]], "float32")
    >>> mask = np.array([[True, False]])
    >>> result = TokenNormalization()(tokens, mask)
    >>> keras.ops.convert_to_numpy(result).round(2).tolist()
    [[[-1.0, 1.0], [0.0, 0.0]]]
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True
        self.normalization = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=self.dtype_policy, name="normalization"
        )

    def build(self, tokens_shape: Any) -> None:
        self.normalization.build(tokens_shape)

    def call(self, tokens: Any, mask: Any = None) -> Any:
        return zero_padding(self.normalization(tokens), mask)
