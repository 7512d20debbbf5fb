"""Interaction layer of DHEN."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interaction.feature_cross import FeatureCross

__all__ = ["InteractionEnsemble", "pair_products"]


@export("keras_infnet.layers.InteractionEnsemble")
class InteractionEnsemble(BaseLayer):
    """Interaction layer of DHEN: pairwise products plus a low-rank cross.

    ```
    Y = LN(reshape(Dense(p) + Dense(z1)) + W^T Z)
    p = all <z_i, z_j>, i < j          z1 = z0 * (U (V z0) + b) + z0
    ```

    `z0` is the flattened `Z`, the tokens. `W` maps the axis of tokens.

    Args:
        num_tokens: integer. Number of output tokens.
        cross_rank: integer. Rank of the cross. Defaults to `32`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.

    Returns:
        Tensor of shape `(batch, num_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, or there is a single
            token.

    Example:

    >>> import numpy as np
    >>> tokens = np.ones((2, 5, 8), "float32")
    >>> tuple(InteractionEnsemble(num_tokens=3)(tokens).shape)
    (2, 3, 8)

    Reference:
    - [DHEN](https://arxiv.org/abs/2203.11014), section 3;
      [InterFormer](https://arxiv.org/abs/2411.09852), equation 7
    """

    def __init__(
        self, num_tokens: int, cross_rank: int = 32, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, tokens_shape: Any) -> None:
        _, count, dim = tokens_shape
        if count < 2:
            raise ValueError(
                "`tokens` must hold at least two tokens to multiply. "
                f"Received: tokens of shape {tuple(tokens_shape)}."
            )
        units, pairs = self.num_tokens * dim, count * (count - 1) // 2
        self.pair_layer = self._dense("pairs", (None, pairs), units)
        flat = (None, count * dim)
        self.cross = self._part(
            FeatureCross, "cross", flat, flat, projection_dim=self.cross_rank
        )
        self.cross_layer = self._dense("crosses", flat, units)
        self.shortcut = self._weight("shortcut", count, self.num_tokens)
        self.normalization = self._layer_norm(
            "normalization", (None, self.num_tokens, dim)
        )

    def call(self, tokens: Any) -> Any:
        _, count, dim = tokens.shape
        flat = ops.reshape(tokens, (-1, count * dim))
        mixed = self.pair_layer(pair_products(tokens))
        mixed = mixed + self.cross_layer(self.cross(flat, flat))
        mixed = ops.reshape(mixed, (-1, self.num_tokens, dim))
        residual = ops.einsum("btd,tn->bnd", tokens, self.shortcut)
        return self.normalization(mixed + residual)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], self.num_tokens, tokens_shape[2])


def pair_products(tokens: Any) -> Any:
    """Inner products of all pairs of tokens, `(batch, pairs)`.

    `keras_rs.layers.DotInteraction` takes a list of tensors, and sums in half
    precision under a mixed dtype policy.
    """
    count = tokens.shape[1]
    # Sums over wide tokens overflow in half precision.
    wide = ops.cast(tokens, "float32")
    products = ops.matmul(wide, ops.transpose(wide, (0, 2, 1)))
    upper = [i * count + j for i in range(count) for j in range(i + 1, count)]
    products = ops.reshape(products, (-1, count * count))
    return ops.cast(ops.take(products, upper, axis=1), tokens.dtype)
