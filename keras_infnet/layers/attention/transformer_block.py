"""Transformer block with post-normalization."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import (
    attend,
    check_heads,
    split_heads,
)
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP, seeded_dropouts

__all__ = ["TransformerBlock"]


@export("keras_infnet.layers.TransformerBlock")
class TransformerBlock(BaseLayer):
    """Transformer block with layer normalization after each residual.

    `X = LN(X + MHA(X))` and `X = LN(X + FFN(X))`. The feed-forward network
    has one hidden layer, and the attention has no biases.

    Masking: padding is not attended to, and outputs at padding have no
    meaning. The mask is passed on.

    Args:
        num_heads: integer. Must divide the width of a token. Defaults to `2`.
        hidden_dim: integer or `None`. Width of the hidden layer; `None` is
            the width of a token. Defaults to `None`.
        activation: string or callable, of hidden layers. Defaults to
            `"leaky_relu"`.
        dropout: float in `[0, 1)`. Dropout rate of the attention weights
            and of the hidden layer. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer, or heads do not
            divide the width.

    Example:

    >>> import numpy as np
    >>> tuple(TransformerBlock()(np.ones((2, 5, 8), "float32")).shape)
    (2, 5, 8)

    Reference:
    - [Attention is all you need](https://arxiv.org/abs/1706.03762), section
      3.1; [BST](https://arxiv.org/abs/1905.06874), section 2.2
    """

    def __init__(
        self,
        num_heads: int = 2,
        hidden_dim: int | None = None,
        activation: Any = "leaky_relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True

    def build(self, tokens_shape: Any) -> None:
        width = tokens_shape[-1]
        check_heads(self.num_heads, width)
        self.kernels = {
            name: self._weight(f"{name}_kernel", width, width)
            for name in ("query", "key", "value", "output")
        }
        self.weight_dropouts = seeded_dropouts(
            1, self.dropout, self.dtype_policy
        )
        self.feed_forward = self._part(
            MLP,
            "feed_forward",
            tokens_shape,
            units=width,
            hidden_dims=(self.hidden_dim or width,),
            activation=self.activation,
            dropout=self.dropout,
        )
        self.normalizations = [
            self._layer_norm(f"normalization_{i}", tokens_shape)
            for i in range(2)
        ]

    def call(
        self, tokens: Any, mask: Any = None, training: bool | None = None
    ) -> Any:
        read = self._attend(tokens, mask, training)
        tokens = self.normalizations[0](tokens + read)
        changed = self.feed_forward(tokens, training=training)
        return self.normalizations[1](tokens + changed)

    def _attend(self, tokens: Any, mask: Any, training: bool | None) -> Any:
        query, key, value = (
            split_heads(ops.matmul(tokens, self.kernels[name]), self.num_heads)
            for name in ("query", "key", "value")
        )
        query = query * query.shape[-1] ** -0.5
        if mask is not None:
            # LiteRT has no slice with two new axes.
            mask = ops.expand_dims(mask, (1, 2))
        read = attend(query, key, value, mask, self.weight_dropouts, training)
        return ops.matmul(read, self.kernels["output"])
