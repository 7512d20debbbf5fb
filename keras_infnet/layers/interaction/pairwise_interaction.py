"""All products of two fields, added up at linear cost."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export

__all__ = ["PairwiseInteraction"]


@export("keras_infnet.layers.PairwiseInteraction")
class PairwiseInteraction(keras.layers.Layer):
    """Adds up the element-wise products of all pairs of tokens.

    `v = sum_{i<j} e_i * e_j = ((sum_i e_i)^2 - sum_i e_i^2) / 2`

    Args:
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.

    Returns:
        Tensor of shape `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> tokens = np.array([[[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]])
    >>> [float(value) for value in PairwiseInteraction()(tokens)[0]]
    [3.0, 14.0]

    Reference:
    - Rendle, Factorization Machines, ICDM 2010, section III
    """

    def call(self, tokens: Any) -> Any:
        # The difference of two large sums would lose the digits of a half.
        wide = ops.cast(tokens, "float32")
        total = ops.square(ops.sum(wide, axis=1))
        total = total - ops.sum(ops.square(wide), axis=1)
        return ops.cast(0.5 * total, self.compute_dtype)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], tokens_shape[2])
