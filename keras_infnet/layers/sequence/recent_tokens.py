"""The newest events, in order of time."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.sequence.event_order import event_ranks
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["RecentTokens"]


@export("keras_infnet.layers.RecentTokens")
class RecentTokens(keras.layers.Layer):
    """Puts the most recent tokens at the end, the newest last.

    The result has `length` tokens, whatever the padding of the batch. In front
    of the valid ones there are zeros; what is older than the newest `length`
    is left out.

    Without gaps the tokens stay in their order. With gaps those of an older
    bucket come first, those of unknown time before all others, and within a
    bucket the order stays.

    Args:
        length: integer. Number of tokens out.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        valid: boolean tensor of shape `(batch, tokens)`.
        gap: integer tensor of shape `(batch, tokens)`, bucket of the time
            between the event and the request, 0 for unknown. Optional.

    Returns:
        Tensor of shape `(batch, length, dim)`.

    Raises:
        ValueError: If `length` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tokens = np.array([[[1.0], [2.0], [3.0]]])
    >>> valid = np.array([[True, False, True]])
    >>> recent = RecentTokens(4)(tokens, valid)
    >>> keras.ops.convert_to_numpy(recent)[0, :, 0].tolist()
    [0.0, 0.0, 1.0, 3.0]

    Reference:
    - [OneTrans](https://arxiv.org/abs/2510.26104), sequential tokens
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive(length=length)
        self.length = length

    def build(
        self, tokens_shape: Any, valid_shape: Any, gap_shape: Any = None
    ) -> None:
        self.built = True

    def call(self, tokens: Any, valid: Any, gap: Any = None) -> Any:
        count = ops.sum(ops.cast(valid, "int32"), axis=1, keepdims=True)
        place = event_ranks(valid, gap) + self.length - count
        place = ops.where(valid, place, -1)
        places = ops.reshape(ops.arange(self.length), (1, self.length, 1))
        chosen = ops.equal(places, ops.expand_dims(place, 1))
        # A product with zeros and ones is exact, and so is its gradient; that
        # of a gather would be sparse.
        return ops.matmul(ops.cast(chosen, tokens.dtype), tokens)

    def compute_output_shape(
        self, tokens_shape: Any, valid_shape: Any, gap_shape: Any = None
    ) -> Any:
        return (tokens_shape[0], self.length, tokens_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}
