"""HSTU: self-attention without a softmax, gated by the query token."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import check_heads, split_heads
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import seeded_dropouts
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import check_gap, look_up

__all__ = ["HSTULayer"]


@export("keras_infnet.layers.HSTULayer")
class HSTULayer(BaseLayer):
    """Layer of a hierarchical sequential transduction unit (HSTU).

    ```
    [Q, U, K, V] = SiLU(LN(X) W_1 + b_1)
    A = SiLU(Q K^T / sqrt(d_head) + rab) / max_length
    X' = X + (LN(A V) * U) W_2
    ```

    head by head, with `LN` over all heads. `A` is zero at padding and at later
    tokens. Since `max_length` is a constant, the output does not depend on the
    padded length of a batch.

    `rab`, which all heads share, is the sum of two learned biases: one for the
    distance of the two positions, and one for the time between the two events.
    That time is estimated from the gaps between the events and the request,
    of which only the buckets are known. Events of gap buckets `1 + a` and
    `1 + b` are assumed to be `2^a - 2^b` seconds apart, the difference of the
    shortest gaps of both buckets, and at least 0. The bias is that of bucket
    `1 + floor(log2(1 + seconds))`, or of bucket 0 if a gap is unknown. If one
    event belongs to the request itself, such as a candidate with gap bucket 1,
    this is the bucket of the other event.

    Args:
        num_heads: integer. Must divide the width of a token. Defaults to `2`.
        max_length: integer. Length of the longest sequence. `A` is divided by
            it, and larger distances share the last bias. Defaults to `100`.
        num_gaps: integer. Number of gap buckets, including "unknown". `0`
            ignores times. Defaults to `0`.
        last_only: boolean. Whether to update and return only the last token.
            Defaults to `False`.
        dropout: float in `[0, 1)`. Rate before `W_2`. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        position: integer tensor of shape `(batch, tokens)`, consecutive for
            the valid tokens. A token attends to itself and to lower positions.
        tokens_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        gap: integer tensor of shape `(batch, tokens)`, bucket of the time
            between the event and the request, 0 for unknown. Required if
            `num_gaps` is not 0.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of the shape of `tokens`, or `(batch, 1, dim)` with `last_only`.
        Outputs at padding have no meaning.

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
        self._store(locals())

    def build(
        self, tokens_shape: Any, position_shape: Any, gap_shape: Any = None
    ) -> None:
        check_gap(self.num_gaps, gap_shape)
        width = tokens_shape[-1]
        check_heads(self.num_heads, width)
        shape = (None, None, width)
        self.normalizations = [
            self._layer_norm(name, shape)
            for name in ("input_normalization", "output_normalization")
        ]
        # `W_1` in two parts, since only the last token may need the first.
        self.query_gate, self.key_value = (
            self._dense(name, shape, 2 * width, activation="silu")
            for name in ("query_gate", "key_value")
        )
        self.output_projection = self._dense(
            "output", shape, width, use_bias=False
        )
        self.dropout_layers = seeded_dropouts(
            1, self.dropout, self.dtype_policy
        )
        self.positions = self._small_table("positions", self.max_length)
        self.gaps = None
        if self.num_gaps:
            self.gaps = self._small_table("gaps", self.num_gaps)

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
            self.query_gate(self._queries(normalized)), 2, axis=-1
        )
        key, value = ops.split(self.key_value(normalized), 2, axis=-1)
        query, key, value = (
            split_heads(x, self.num_heads) for x in (query, key, value)
        )
        scores = ops.einsum("bqhe,bkhe->bhqk", query, key)
        scores = ops.cast(scores, "float32")
        scores = scores * (tokens.shape[-1] // self.num_heads) ** -0.5
        bias, visible = self._bias(position, mask, gap)
        weights = ops.silu(scores + bias) * visible / self.max_length
        weights = ops.cast(weights, self.compute_dtype)
        read = ops.einsum("bhqk,bkhe->bqhe", weights, value)
        read = ops.reshape(read, (-1, ops.shape(read)[1], tokens.shape[-1]))
        read = self.normalizations[1](read) * gate
        for layer in self.dropout_layers:
            read = layer(read, training=training)
        return self._queries(tokens) + self.output_projection(read)

    def _queries(self, tokens: Any) -> Any:
        return tokens[:, -1:] if self.last_only else tokens

    def _bias(self, position: Any, mask: Any, gap: Any) -> tuple[Any, Any]:
        """Returns `rab` and the mask, `(batch, 1, queries, keys)`."""
        distance = ops.expand_dims(self._queries(position), 2)
        distance = distance - ops.expand_dims(position, 1)
        bias = ops.cast(look_up(self.positions, distance), "float32")
        if self.gaps is not None:
            between = _time_between(
                ops.expand_dims(self._queries(gap), 2), ops.expand_dims(gap, 1)
            )
            bias = bias + ops.cast(look_up(self.gaps, between), "float32")
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
        return None if previous_mask is None else self._queries(previous_mask)


def _time_between(later: Any, earlier: Any) -> Any:
    """Bucket of the time between two events, from the buckets of their gaps.

    `1 + floor(log2(1 + 2^a - 2^b))` without powers: `2^a - 2^b` is at least
    `2^(a-1)` where `a > b`, and only with `b = 0` one less than `2^a`.
    """
    a, b = earlier - 1, later - 1
    bucket = ops.where(ops.equal(later, 1), a, a - 1)
    bucket = ops.where(ops.greater(a, b), bucket, 0)
    known = ops.logical_and(ops.greater(earlier, 0), ops.greater(later, 0))
    return ops.where(known, bucket + 1, 0)
