"""Selection of the newest events, in order of time."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import event_ranks

__all__ = ["RecentTokens"]


@export("keras_infnet.layers.RecentTokens")
class RecentTokens(BaseLayer):
    """Selects the newest tokens and orders them by time, the newest last.

    The output has `length` tokens, whatever the padding of the batch: the
    newest valid tokens, after as many zeros as are needed to fill it.

    Without gaps the tokens keep their order. With gaps, those of older buckets
    come first, those of unknown time before all others, and tokens of the same
    bucket keep their order.

    Masking: padding is left out, and the output carries the mask of its valid
    tokens.

    Args:
        length: integer. Number of output tokens.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.
        gap: integer tensor of shape `(batch, tokens)`, bucket of the time
            between the event and the request, 0 for unknown. Optional.
        tokens_mask: the same as `mask`. Keras sets it from the mask of
            `tokens` if `gap` is given too.

    Returns:
        Tensor of shape `(batch, length, dim)`.

    Raises:
        ValueError: If `length` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tokens = np.array([[[1.0], [2.0], [3.0]]])
    >>> mask = np.array([[True, False, True]])
    >>> recent = RecentTokens(4)(tokens, mask=mask)
    >>> ops.convert_to_numpy(recent)[0, :, 0].tolist()
    [0.0, 0.0, 1.0, 3.0]

    Reference:
    - [OneTrans](https://arxiv.org/abs/2510.26104), sequential tokens
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def call(
        self,
        tokens: Any,
        mask: Any = None,
        gap: Any = None,
        tokens_mask: Any = None,
    ) -> Any:
        mask = event_mask(tokens, tokens_mask if mask is None else mask)
        count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        target = event_ranks(mask, gap) + self.length - count
        target = ops.where(mask, target, -1)
        index = ops.reshape(ops.arange(self.length), (1, self.length, 1))
        chosen = ops.equal(index, ops.expand_dims(target, 1))
        # A product with zeros and ones is exact and has a dense gradient,
        # unlike a gather.
        return ops.matmul(ops.cast(chosen, tokens.dtype), tokens)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], self.length, tokens_shape[2])

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        valid = ops.cast(event_mask(tokens, previous_mask), "int32")
        count = ops.sum(valid, axis=1, keepdims=True)
        index = ops.reshape(ops.arange(self.length), (1, self.length))
        return ops.greater_equal(index, self.length - count)
