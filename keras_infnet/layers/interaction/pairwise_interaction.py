"""Sum of the products of all pairs of fields, at linear cost."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import zero_padding

__all__ = ["PairwiseInteraction"]


@export("keras_infnet.layers.PairwiseInteraction")
class PairwiseInteraction(BaseLayer):
    """Sums the element-wise products of all pairs of tokens.

    `v = sum_{i<j} e_i * e_j = ((sum_i e_i)^2 - sum_i e_i^2) / 2`

    See `keras_rs.layers.DotInteraction` for the separate inner products.

    Masking: masked tokens are left out. The output has no mask.

    Args:
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.

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

    def call(self, tokens: Any, mask: Any = None) -> Any:
        tokens = zero_padding(tokens, mask)
        # The difference of two large sums would lose precision in float16.
        wide = ops.cast(tokens, "float32")
        total = ops.square(ops.sum(wide, axis=1))
        total = total - ops.sum(ops.square(wide), axis=1)
        return ops.cast(0.5 * total, self.compute_dtype)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], tokens_shape[2])

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return None
