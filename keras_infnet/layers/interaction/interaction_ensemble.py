"""Several kinds of interaction of the same tokens, added up."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interaction.feature_cross import FeatureCross
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["InteractionEnsemble", "pair_products"]


@export("keras_infnet.layers.InteractionEnsemble")
class InteractionEnsemble(BaseLayer):
    """One layer of DHEN: products of pairs beside a cross of low rank.

    ```
    Y = LN(reshape(Dense(p) + Dense(z1)) + W^T Z)
    p = all <z_i, z_j>, i < j          z1 = z0 * (U (V z0) + b) + z0
    ```

    `z0` holds the tokens `Z` side by side. `W` maps the axis of tokens.

    Args:
        num_tokens: integer. Tokens out.
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
        check_positive(num_tokens=num_tokens, cross_rank=cross_rank)
        self.num_tokens = num_tokens
        self.cross_rank = cross_rank

    def build(self, tokens_shape: Any) -> None:
        _, count, dim = tokens_shape
        if count < 2:
            raise ValueError(
                "products of pairs need two tokens. Received: tokens of "
                f"shape {tuple(tokens_shape)}."
            )
        units = self.num_tokens * dim
        self.pair_layer = self._part(
            keras.layers.Dense,
            "pairs",
            (None, count * (count - 1) // 2),
            units=units,
        )
        flat = (None, count * dim)
        self.cross = self._part(
            FeatureCross, "cross", flat, flat, projection_dim=self.cross_rank
        )
        self.cross_layer = self._part(
            keras.layers.Dense, "crosses", flat, units=units
        )
        self.shortcut = self._kernel("shortcut", count, self.num_tokens)
        self.normalization = self._layer_norm(
            "normalization", (None, self.num_tokens, dim)
        )

    def call(self, tokens: Any) -> Any:
        _, count, dim = tokens.shape
        flat = ops.reshape(tokens, (-1, count * dim))
        mixed = self.pair_layer(pair_products(tokens))
        mixed = mixed + self.cross_layer(self.cross(flat, flat))
        mixed = ops.reshape(mixed, (-1, self.num_tokens, dim))
        kept = ops.einsum("btd,tn->bnd", tokens, self.shortcut)
        return self.normalization(mixed + kept)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], self.num_tokens, tokens_shape[2])


def pair_products(tokens: Any) -> Any:
    """Inner products of all pairs of tokens, `(batch, pairs)`.

    Not `keras_rs.layers.DotInteraction`: that takes a list of tensors, and
    sums in half precision where the dtype policy says so.
    """
    count = tokens.shape[1]
    # Wide tokens: the sums leave the range of half precision.
    wide = ops.cast(tokens, "float32")
    products = ops.matmul(wide, ops.transpose(wide, (0, 2, 1)))
    places = [i * count + j for i in range(count) for j in range(i + 1, count)]
    products = ops.reshape(products, (-1, count * count))
    return ops.cast(ops.take(products, places, axis=1), tokens.dtype)
