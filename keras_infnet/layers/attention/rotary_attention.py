"""Multi-head attention with rotary position embeddings."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import (
    attend,
    check_heads,
    split_heads,
)
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["RotaryAttention"]


@export("keras_infnet.layers.RotaryAttention")
class RotaryAttention(BaseLayer):
    """Multi-head attention with rotary position embeddings.

    A head computes `softmax(R(Q) R(K)^T / sqrt(d_head)) V`; an output layer
    as wide as the query projects the concatenated heads. `R` rotates the
    elements `(i, i + d_head / 2)` of a token at position `p` by the angle
    `p * base^(-2 i / d_head)`, so that a score depends only on the difference
    of two positions. Without positions nothing is rotated.

    Keys have no bias, since it would shift all scores of a query equally and
    get no gradient.

    Masking: padding is not attended to. In a row without any valid source
    token the attention is zero. The mask of the query is passed on. Softmax,
    mask and angles are computed in float32.

    Args:
        num_heads: integer. Must divide the width of the query. With positions
            the width of a head must be even. Defaults to `1`.
        base: float. Base of the angles. Defaults to `10000.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        query: tensor of shape `(batch, queries, dim)`.
        source: tensor of shape `(batch, tokens, width)`.
        source_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        query_positions: integer tensor of shape `(batch, queries)`. Optional.
        positions: integer tensor of shape `(batch, tokens)`. Optional.

    Returns:
        Tensor of shape `(batch, queries, dim)`.

    Raises:
        ValueError: If `num_heads` is not a positive integer or does not fit
            the width of the query, or only one of `query_positions` and
            `positions` is given.

    Example:

    >>> import numpy as np
    >>> x, zeros = np.ones((2, 5, 8), "float32"), np.zeros((2, 5), "int32")
    >>> attention = RotaryAttention(num_heads=2)
    >>> result = attention(x, x, query_positions=zeros, positions=zeros)
    >>> tuple(result.shape)
    (2, 5, 8)

    Reference:
    - [RoFormer](https://arxiv.org/abs/2104.09864), section 3.2;
      [InterFormer](https://arxiv.org/abs/2411.09852), equation 9
    """

    def __init__(
        self, num_heads: int = 1, base: float = 10000.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True

    def build(
        self,
        query_shape: Any,
        source_shape: Any,
        query_positions_shape: Any = None,
        positions_shape: Any = None,
    ) -> None:
        dim, width = query_shape[-1], source_shape[-1]
        check_heads(self.num_heads, dim)
        if (positions_shape is None) != (query_positions_shape is None):
            raise ValueError(
                "`query_positions` and `positions` must be given together. "
                f"Received: query_positions of shape {query_positions_shape}, "
                f"positions of shape {positions_shape}."
            )
        if positions_shape is not None and dim // self.num_heads % 2:
            raise ValueError(
                "`num_heads` must give heads of even width, because rotary "
                "position embeddings rotate pairs of elements. Received: "
                f"num_heads={self.num_heads}, tokens of width {dim}."
            )
        self.query_kernel = self._weight("query_kernel", dim, dim)
        self.key_kernel = self._weight("key_kernel", width, dim)
        self.value_kernel = self._weight("value_kernel", width, dim)
        self.output_kernel = self._weight("output_kernel", dim, dim)
        self.query_bias = self._zeros("query_bias", dim)
        self.value_bias = self._zeros("value_bias", dim)
        self.output_bias = self._zeros("output_bias", dim)

    def call(
        self,
        query: Any,
        source: Any,
        source_mask: Any = None,
        query_positions: Any = None,
        positions: Any = None,
    ) -> Any:
        q = ops.matmul(query, self.query_kernel) + self.query_bias
        k = ops.matmul(source, self.key_kernel)
        v = ops.matmul(source, self.value_kernel) + self.value_bias
        q, k, v = (split_heads(x, self.num_heads) for x in (q, k, v))
        if positions is not None:
            q = self._rotated(q, query_positions)
            k = self._rotated(k, positions)
        # Scaled first, because the products could overflow in float16.
        q = q * (q.shape[-1] ** -0.5)
        if source_mask is not None:
            source_mask = ops.expand_dims(source_mask, (1, 2))
        read = attend(q, k, v, source_mask)
        return ops.matmul(read, self.output_kernel) + self.output_bias

    def _rotated(self, x: Any, positions: Any) -> Any:
        half = x.shape[-1] // 2
        frequencies = [self.base ** (-i / half) for i in range(half)]
        positions = ops.expand_dims(ops.cast(positions, "float32"), -1)
        angles = positions * ops.convert_to_tensor(frequencies, "float32")
        angles = ops.expand_dims(angles, 2)  # (batch, tokens, 1, half)
        cos, sin = ops.cos(angles), ops.sin(angles)
        first, second = ops.split(ops.cast(x, "float32"), 2, axis=-1)
        rotated = ops.concatenate(
            [first * cos - second * sin, second * cos + first * sin], axis=-1
        )
        return ops.cast(rotated, x.dtype)
