"""Dense layer with separate weights for every token."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import glorot_of_each_matrix

__all__ = ["TokenDense"]


@export("keras_infnet.layers.TokenDense")
class TokenDense(BaseLayer):
    """Dense layer with separate weights for every token position.

    `y_t = act(x_t W_t + b_t)`

    Args:
        units: integer. Width of the output.
        activation: string, callable or `None`. Defaults to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)` with a known number of
            tokens.

    Returns:
        Tensor of shape `(batch, tokens, units)`.

    Raises:
        ValueError: If `units` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tuple(TokenDense(6)(np.ones((2, 3, 4), "float32")).shape)
    (2, 3, 6)

    Reference:
    - [RankMixer](https://arxiv.org/abs/2507.15551), per-token FFN
    """

    def __init__(
        self, units: int, activation: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True

    def build(self, tokens_shape: Any) -> None:
        _, count, width = tokens_shape
        glorot = glorot_of_each_matrix(width, self.units)
        self.kernel = self._weight(
            "kernel", count, width, self.units, initializer=glorot
        )
        self.bias = self._zeros("bias", count, self.units)

    def call(self, tokens: Any) -> Any:
        y = ops.einsum("bti,tio->bto", tokens, self.kernel)
        return self.activation(y + self.bias)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (*tokens_shape[:2], self.units)
