"""Compression of many tokens into a few."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.interaction.flat_token_mlp import FlatMLP

__all__ = ["TokenCompression"]


@export("keras_infnet.layers.TokenCompression")
class TokenCompression(FlatMLP):
    """Compresses a fixed number of tokens into fewer tokens.

    `outputs = reshape(MLP(flatten(x)))`, with one hidden layer. INFNet makes
    its categorical proxies and hubs with it.

    Args:
        num_tokens: integer. Number of output tokens.
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, tokens, dim)` with a known number of
            tokens.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of shape `(batch, num_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tuple(TokenCompression(4)(np.ones((2, 30, 8), "float32")).shape)
    (2, 4, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), proxy initialization
    """

    def __init__(
        self,
        num_tokens: int,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(expansion, activation, dropout, **kwargs)
        self._store(locals())

    def build(self, x_shape: Any) -> None:
        self._build_mlp(x_shape, self.num_tokens, x_shape[-1])

    def call(self, x: Any, training: bool | None = None) -> Any:
        outputs = self._apply_mlp(x, training)
        return ops.reshape(outputs, (-1, self.num_tokens, x.shape[-1]))

    def compute_output_shape(self, x_shape: Any) -> Any:
        return (x_shape[0], self.num_tokens, x_shape[-1])
