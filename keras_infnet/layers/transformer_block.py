"""Self-attention and a feed-forward network."""

import random
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.arguments import check_positive
from keras_infnet.layers.mlp import MLP

__all__ = ["TransformerBlock"]


@export("keras_infnet.layers.TransformerBlock")
class TransformerBlock(keras.layers.Layer):
    """One block of a transformer, normalised behind each part.

    `X = LN(X + MHA(X))` and `X = LN(X + FFN(X))`, with one hidden layer.
    Padding is never read; what stands at padding means nothing.

    Args:
        num_heads: integer. Must divide the width of a token. Defaults to `2`.
        hidden_dim: integer or `None`. Width of the hidden layer; `None` is
            that of a token. Defaults to `None`.
        activation: string or callable. Activation of the hidden layer.
            Defaults to `"leaky_relu"`.
        dropout: float in `[0, 1)`. Rate of attention weights and behind the
            hidden layer. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        valid: boolean tensor of shape `(batch, tokens)`. Optional.
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
        check_positive(num_heads=num_heads)
        if hidden_dim is not None:
            check_positive(hidden_dim=hidden_dim)
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.activation = keras.activations.get(activation)
        self.dropout = dropout

    def build(self, tokens_shape: Any, valid_shape: Any = None) -> None:
        width = tokens_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of a token. Received: "
                f"num_heads={self.num_heads}, tokens of width {width}."
            )
        self.attention = keras.layers.MultiHeadAttention(
            self.num_heads,
            width // self.num_heads,
            dropout=self.dropout,
            # A bias of the keys shifts all scores alike: it would never learn.
            use_bias=False,
            # As a variable its state is saved with a run.
            seed=random.randint(1, 10**9),
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build(tokens_shape, tokens_shape)
        self.feed_forward = MLP(
            width,
            hidden_dims=(self.hidden_dim or width,),
            activation=self.activation,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.feed_forward.build(tokens_shape)
        self.normalizations = [
            keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name=f"normalization_{i}"
            )
            for i in range(2)
        ]
        for layer in self.normalizations:
            layer.build(tokens_shape)
        self.built = True

    def call(
        self, tokens: Any, valid: Any = None, training: bool | None = None
    ) -> Any:
        mask = None if valid is None else ops.expand_dims(valid, 1)
        read = self.attention(
            tokens, tokens, attention_mask=mask, training=training
        )
        tokens = self.normalizations[0](tokens + read)
        changed = self.feed_forward(tokens, training=training)
        return self.normalizations[1](tokens + changed)

    def compute_output_shape(
        self, tokens_shape: Any, valid_shape: Any = None
    ) -> Any:
        return tokens_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            hidden_dim=self.hidden_dim,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config
