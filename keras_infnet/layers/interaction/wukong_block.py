"""Layer of WuKong, built from factorization machines."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP

__all__ = ["WuKongBlock"]


@export("keras_infnet.layers.WuKongBlock")
class WuKongBlock(BaseLayer):
    """Layer of WuKong: pairwise products plus linear compression.

    ```
    X' = LN([FMB(X) ; LCB(X)] + R(X))
    FMB(X) = reshape(MLP(LN(flatten(X (X^T Y)))))    LCB(X) = W_L X
    ```

    `X (X^T Y)` holds the products of all pairs of tokens, compressed to
    `projection_dim` columns by the learned `Y`, at linear cost. `R` is the
    identity if the number of tokens does not change, else a linear map of
    tokens.

    Args:
        num_interaction_tokens: integer. Output tokens of `FMB`. Defaults to
            `40`.
        num_compressed_tokens: integer. Output tokens of `LCB`. Defaults to
            `40`.
        projection_dim: integer. Columns of `Y`. Defaults to `8`.
        hidden_dims: sequence of integers. Hidden widths of the MLP. Defaults
            to `(32, 32)`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of shape
        `(batch, num_interaction_tokens + num_compressed_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> layer = WuKongBlock(3, 2, projection_dim=2, hidden_dims=(8,))
    >>> tuple(layer(np.ones((2, 7, 4), "float32")).shape)
    (2, 5, 4)

    Reference:
    - [WuKong](https://arxiv.org/abs/2403.02545), section 3
    """

    def __init__(
        self,
        num_interaction_tokens: int = 40,
        num_compressed_tokens: int = 40,
        projection_dim: int = 8,
        hidden_dims: Sequence[int] = (32, 32),
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, tokens_shape: Any) -> None:
        _, count, dim = tokens_shape
        total = self.num_interaction_tokens + self.num_compressed_tokens
        # These get transposed inputs, with tokens on the last axis.
        shape = (None, dim, count)
        self.projection = self._dense(
            "projection", shape, self.projection_dim, use_bias=False
        )
        self.compression = self._dense(
            "compression", shape, self.num_compressed_tokens, use_bias=False
        )
        self.residual = None
        if total != count:
            self.residual = self._dense(
                "residual", shape, total, use_bias=False
            )
        products = count * self.projection_dim
        self.product_normalization = self._layer_norm(
            "product_normalization", (None, products)
        )
        self.mlp = self._part(
            MLP,
            "mlp",
            (None, products),
            units=self.num_interaction_tokens * dim,
            hidden_dims=self.hidden_dims,
            activation=self.activation,
            dropout=self.dropout,
        )
        self.normalization = self._layer_norm(
            "normalization", (None, total, dim)
        )

    def call(self, tokens: Any, training: bool | None = None) -> Any:
        _, count, dim = tokens.shape
        transposed = ops.transpose(tokens, (0, 2, 1))
        products = ops.matmul(tokens, self.projection(transposed))
        flat = ops.reshape(products, (-1, count * self.projection_dim))
        mixed = self.mlp(self.product_normalization(flat), training=training)
        mixed = ops.reshape(mixed, (-1, self.num_interaction_tokens, dim))
        compressed = ops.transpose(self.compression(transposed), (0, 2, 1))
        residual = tokens
        if self.residual is not None:
            residual = ops.transpose(self.residual(transposed), (0, 2, 1))
        joined = ops.concatenate([mixed, compressed], axis=1)
        return self.normalization(joined + residual)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        total = self.num_interaction_tokens + self.num_compressed_tokens
        return (tokens_shape[0], total, tokens_shape[2])
