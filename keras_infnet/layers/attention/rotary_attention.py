"""Softmax attention that knows how far apart tokens are."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import masked_softmax
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["RotaryAttention"]


@export("keras_infnet.layers.RotaryAttention")
class RotaryAttention(BaseLayer):
    """Attention of several heads with rotary positions and a key mask.

    A head computes `softmax(R(Q) R(K)^T / sqrt(d_head)) V`; the heads side by
    side go through an output layer as wide as the query. `R` turns the pair
    of numbers `(i, i + d_head / 2)` of a token at position `p` by the angle
    `p * base^(-2 i / d_head)`, so that a score depends on the difference of
    two positions only. Without positions nothing is turned.

    Keys have no bias: it would shift all scores of a query alike and never
    learn.

    Masking: padding is never read. Without any valid source, what is read is
    zero. The mask of the query is passed on. Softmax, mask and angles are
    computed in float32.

    Args:
        num_heads: integer. Must divide the width of the query; with positions
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
            the width of the query, or positions are given on one side only.

    Example:

    >>> import numpy as np
    >>> x, places = np.ones((2, 5, 8), "float32"), np.zeros((2, 5), "int32")
    >>> attend = RotaryAttention(num_heads=2)
    >>> result = attend(x, x, query_positions=places, positions=places)
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
        check_positive(num_heads=num_heads)
        self.num_heads = num_heads
        self.base = base
        self.supports_masking = True

    def build(
        self,
        query_shape: Any,
        source_shape: Any,
        query_positions_shape: Any = None,
        positions_shape: Any = None,
    ) -> None:
        dim, width = query_shape[-1], source_shape[-1]
        if dim % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of a token. Received: "
                f"num_heads={self.num_heads}, tokens of width {dim}."
            )
        if (positions_shape is None) != (query_positions_shape is None):
            raise ValueError(
                "give positions to both queries and source, or to neither. "
                f"Received: query_positions of shape {query_positions_shape}, "
                f"positions of shape {positions_shape}."
            )
        if positions_shape is not None and dim // self.num_heads % 2:
            raise ValueError(
                "`num_heads` must give heads of even width, because rotary "
                f"positions turn pairs. Received: num_heads={self.num_heads}, "
                f"tokens of width {dim}."
            )
        self.query_kernel = self._kernel("query_kernel", dim, dim)
        self.key_kernel = self._kernel("key_kernel", width, dim)
        self.value_kernel = self._kernel("value_kernel", width, dim)
        self.output_kernel = self._kernel("output_kernel", dim, dim)
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
        q = self._heads(ops.matmul(query, self.query_kernel) + self.query_bias)
        k = self._heads(ops.matmul(source, self.key_kernel))
        v = self._heads(ops.matmul(source, self.value_kernel) + self.value_bias)
        if positions is not None:
            q = self._turned(q, query_positions)
            k = self._turned(k, positions)
        # Scaled first: in float16 the products could leave its range.
        q = q * (q.shape[-1] ** -0.5)
        scores = ops.einsum("bqhe,blhe->bhql", q, k)
        if source_mask is not None:
            source_mask = ops.expand_dims(source_mask, (1, 2))
        weights = masked_softmax(scores, source_mask)
        read = ops.einsum("bhql,blhe->bqhe", weights, v)
        read = ops.reshape(read, (-1, ops.shape(query)[1], query.shape[-1]))
        return ops.matmul(read, self.output_kernel) + self.output_bias

    def _heads(self, x: Any) -> Any:
        """Splits the last axis, `(batch, tokens, heads, d_head)`."""
        width = x.shape[-1] // self.num_heads
        return ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, width))

    def _turned(self, x: Any, positions: Any) -> Any:
        half = x.shape[-1] // 2
        frequencies = [self.base ** (-i / half) for i in range(half)]
        positions = ops.expand_dims(ops.cast(positions, "float32"), -1)
        angles = positions * ops.convert_to_tensor(frequencies, "float32")
        angles = ops.expand_dims(angles, 2)  # (batch, tokens, 1, half)
        cos, sin = ops.cos(angles), ops.sin(angles)
        wide = ops.cast(x, "float32")
        first, second = wide[..., :half], wide[..., half:]
        turned = ops.concatenate(
            [first * cos - second * sin, second * cos + first * sin], axis=-1
        )
        return ops.cast(turned, x.dtype)

    def compute_output_shape(self, query_shape: Any, source_shape: Any) -> Any:
        return query_shape
