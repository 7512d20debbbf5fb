"""Gating of the tokens of a group by its proxies."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.interaction.flat_token_mlp import FlatMLP

__all__ = ["ProxyGatedUnit"]


@export("keras_infnet.layers.ProxyGatedUnit")
class ProxyGatedUnit(FlatMLP):
    """Scales all tokens of a group by one gate computed from its proxies.

    `PGU(X, X~) = X * sigmoid(MLP(flatten(X~)))`, with one hidden layer.

    All tokens of a row share the gate, so a stack of units multiplies the
    tokens by the product of its gates. The method `gate` returns a gate
    without scaling the tokens.

    Masking: a zero token stays zero, and the mask is passed on.

    Args:
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        proxies: tensor of shape `(batch, proxies, dim)`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor with the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tokens = np.ones((2, 30, 8), "float32")
    >>> proxies = np.ones((2, 4, 8), "float32")
    >>> tuple(ProxyGatedUnit()(tokens, proxies).shape)
    (2, 30, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 1, homogeneous
      information flow
    """

    def build(self, tokens_shape: Any, proxies_shape: Any) -> None:
        self._build_mlp(proxies_shape, 1, tokens_shape[-1])

    def gate(self, proxies: Any, training: bool | None = None) -> Any:
        """Returns the gate of shape `(batch, 1, dim)`."""
        gate = ops.sigmoid(self._apply_mlp(proxies, training))
        return ops.expand_dims(gate, 1)

    def call(
        self, tokens: Any, proxies: Any, training: bool | None = None
    ) -> Any:
        return tokens * self.gate(proxies, training=training)

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return previous_mask
