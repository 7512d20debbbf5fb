"""Attention without a softmax, gated by the token that reads."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import seeded_dropouts
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import check_gap, look_up
from keras_infnet.utils.argument_checks import (
    check_number,
    check_positive,
    check_rate,
)

__all__ = ["HSTULayer"]


@export("keras_infnet.layers.HSTULayer")
class HSTULayer(BaseLayer):
    """One layer of a hierarchical sequential transduction unit.

    ```
    [Q, U, K, V] = SiLU(LN(X) W_1 + b_1)
    A = SiLU(Q K^T / sqrt(d_head) + rab) / max_length
    X' = X + (LN(A V) * U) W_2
    ```

    head by head, with `LN` over all heads. `A` is zero where a token would
    read padding or what comes after it. Since `max_length` is a constant, what
    is read does not depend on how far a batch is padded.

    `rab`, the same for all heads, adds two learned numbers: one for the
    distance of the two positions, and one for the time between the two events.
    Of these times only the buckets of their gaps to the request are known.
    Those of buckets `1 + a` and `1 + b` are taken to lie `2^a - 2^b` seconds
    apart, the difference of the shortest gaps of both, and at least 0. Its
    bucket `1 + floor(log2(1 + seconds))` chooses the number; where a gap is
    unknown, it is that of bucket 0. To an event of the request itself, such as
    a candidate with gap bucket 1, this is the bucket of the other event.

    Args:
        num_heads: integer. Must divide the width of a token. Defaults to `2`.
        max_length: integer. The longest sequence that there can be: `A` is
            divided by it, and larger distances share the last number. Defaults
            to `100`.
        num_gaps: integer. Number of gap buckets, "unknown" included. `0`
            leaves times out. Defaults to `0`.
        last_only: boolean. Whether only the last token is updated and
            returned. Defaults to `False`.
        dropout: float in `[0, 1)`. Rate in front of `W_2`. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        position: integer tensor of shape `(batch, tokens)`: the places of the
            valid tokens, without holes. A token reads itself and those of
            lower position.
        tokens_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        gap: integer tensor of shape `(batch, tokens)`, bucket of the time
            between the event and the request, 0 for unknown. Needed if
            `num_gaps` is not 0.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of the shape of `tokens`, or `(batch, 1, dim)` of the last
        token. It means nothing at padding.

    Raises:
        ValueError: If a size is not a positive integer, or heads do not
            divide the width.

    Example:

    >>> import numpy as np
    >>> position = np.array([[0, 1, 2]])
    >>> tokens = np.ones((1, 3, 8), "float32")
    >>> tuple(HSTULayer()(tokens, position).shape)
    (1, 3, 8)

    Reference:
    - [HSTU](https://arxiv.org/abs/2402.17152), section 3.2, with the scale, the
      norm of the input and the division of the authors' code
    """

    def __init__(
        self,
        num_heads: int = 2,
        max_length: int = 100,
        num_gaps: int = 0,
        last_only: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads, max_length=max_length)
        check_number("num_gaps", num_gaps, kind=int)
        check_rate(dropout=dropout)
        self.num_heads = num_heads
        self.max_length = max_length
        self.num_gaps = num_gaps
        self.last_only = last_only
        self.dropout = dropout

    def build(
        self, tokens_shape: Any, position_shape: Any, gap_shape: Any = None
    ) -> None:
        check_gap(self.num_gaps, gap_shape)
        width = tokens_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of a token. Received: "
                f"num_heads={self.num_heads}, tokens of width {width}."
            )
        shape = (None, None, width)
        self.normalizations = [
            self._layer_norm(name, shape)
            for name in ("input_normalization", "output_normalization")
        ]
        dense = keras.layers.Dense
        # `W_1` in two parts: the last token alone may need the first.
        self.query_gate, self.key_value = (
            self._part(dense, name, shape, units=2 * width, activation="silu")
            for name in ("query_gate", "key_value")
        )
        self.output_projection = self._part(
            dense, "output", shape, units=width, use_bias=False
        )
        self.dropout_layers = seeded_dropouts(
            1, self.dropout, self.dtype_policy
        )
        self.positions = self._table("positions", self.max_length)
        self.gaps = None
        if self.num_gaps:
            self.gaps = self._table("gaps", self.num_gaps)

    def _table(self, name: str, size: int) -> Any:
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(
        self,
        tokens: Any,
        position: Any,
        tokens_mask: Any = None,
        gap: Any = None,
        training: bool | None = None,
    ) -> Any:
        mask = event_mask(tokens, tokens_mask)
        normalized = self.normalizations[0](tokens)
        query, gate = ops.split(
            self.query_gate(self._readers(normalized)), 2, axis=-1
        )
        key, value = ops.split(self.key_value(normalized), 2, axis=-1)
        scores = ops.einsum(
            "bqhe,bkhe->bhqk", self._heads(query), self._heads(key)
        )
        scores = ops.cast(scores, "float32")
        scores = scores * (tokens.shape[-1] // self.num_heads) ** -0.5
        bias, visible = self._bias(position, mask, gap)
        weights = ops.silu(scores + bias) * visible / self.max_length
        weights = ops.cast(weights, self.compute_dtype)
        read = ops.einsum("bhqk,bkhe->bqhe", weights, self._heads(value))
        read = ops.reshape(read, (-1, ops.shape(read)[1], tokens.shape[-1]))
        read = self.normalizations[1](read) * gate
        for layer in self.dropout_layers:
            read = layer(read, training=training)
        return self._readers(tokens) + self.output_projection(read)

    def _readers(self, tokens: Any) -> Any:
        return tokens[:, -1:] if self.last_only else tokens

    def _heads(self, x: Any) -> Any:
        width = x.shape[-1] // self.num_heads
        return ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, width))

    def _bias(self, position: Any, mask: Any, gap: Any) -> tuple[Any, Any]:
        """`rab` and the mask, `(batch, 1, queries, keys)`."""
        distance = ops.expand_dims(self._readers(position), 2)
        distance = distance - ops.expand_dims(position, 1)
        bias = ops.cast(look_up(self.positions, distance), "float32")
        if self.gaps is not None:
            apart = _between(
                ops.expand_dims(self._readers(gap), 2), ops.expand_dims(gap, 1)
            )
            bias = bias + ops.cast(look_up(self.gaps, apart), "float32")
        visible = ops.logical_and(
            ops.greater_equal(distance, 0), ops.expand_dims(mask, 1)
        )
        return (
            ops.expand_dims(bias, 1),
            ops.expand_dims(ops.cast(visible, "float32"), 1),
        )

    def compute_output_shape(
        self, tokens_shape: Any, position_shape: Any, gap_shape: Any = None
    ) -> Any:
        length = 1 if self.last_only else tokens_shape[1]
        return (tokens_shape[0], length, tokens_shape[2])

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return None if previous_mask is None else self._readers(previous_mask)


def _between(later: Any, earlier: Any) -> Any:
    """Bucket of the time between two events, from those of their gaps.

    `1 + floor(log2(1 + 2^a - 2^b))` without powers: `2^a - 2^b` is at least
    `2^(a-1)` where `a > b`, and only with `b = 0` one less than `2^a`.
    """
    a, b = earlier - 1, later - 1
    bucket = ops.where(ops.equal(later, 1), a, a - 1)
    bucket = ops.where(ops.greater(a, b), bucket, 0)
    known = ops.logical_and(ops.greater(earlier, 0), ops.greater(later, 0))
    return ops.where(known, bucket + 1, 0)
