"""Affine broadcast of hubs to the tokens of their group."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.dense.token_normalization import TokenNormalization
from keras_infnet.layers.interaction.flat_token_mlp import FlatMLP

__all__ = ["BroadcastGatedUnit"]


@export("keras_infnet.layers.BroadcastGatedUnit")
class BroadcastGatedUnit(FlatMLP):
    """Scales and shifts the tokens of a group by vectors computed from hubs.

    `[a ; b] = MLP(flatten(H))` and `BGU(X, H) = LN(X + X * sigmoid(a) + b)`,
    with one hidden layer and the same `(a, b)` for every token of the group.

    Masking: padding is zero, and the mask is passed on.

    Args:
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        hubs: tensor of shape `(batch, hubs, dim)`.
        tokens_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor with the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tokens = np.ones((2, 30, 8), "float32")
    >>> hubs = np.ones((2, 4, 8), "float32")
    >>> tuple(BroadcastGatedUnit()(tokens, hubs).shape)
    (2, 30, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 2, affine broadcast
    """

    def build(self, tokens_shape: Any, hubs_shape: Any) -> None:
        self.normalization = self._part(
            TokenNormalization, "normalization", tokens_shape
        )
        self._build_mlp(hubs_shape, 2, tokens_shape[-1])

    def call(
        self,
        tokens: Any,
        hubs: Any,
        tokens_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        affine = ops.expand_dims(self._apply_mlp(hubs, training), 1)
        scale, shift = ops.split(affine, 2, axis=-1)  # (batch, 1, dim)
        tokens = tokens * (1.0 + ops.sigmoid(scale)) + shift
        return self.normalization(tokens, mask=tokens_mask)

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return previous_mask
