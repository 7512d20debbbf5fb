"""Tokens of the events of a behavior."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import event_mask, zero_padding
from keras_infnet.layers.sequence.positions import (
    check_gap,
    count_back,
    look_up,
)

__all__ = ["EventTokenizer"]


@export("keras_infnet.layers.EventTokenizer")
class EventTokenizer(BaseLayer):
    """Combines the attributes of every event of a behavior into one token.

    `s_t = Dense([e_1 ; ... ; e_A]) + position(t) + gap(t)`, with learned
    vectors for positions and gaps. Positions count back from the request: the
    newest event has position 0, even if padding follows it. The gap is the
    bucket of the time between the event and the request.

    Masking: padding is zero, and the mask is passed on.

    Args:
        dim: integer. Width of a token.
        max_length: integer. Number of learned positions; older events share
            the last one. Defaults to `50`.
        num_gaps: integer. Number of gap buckets, including "unknown". `0`
            ignores gaps. Defaults to `0`.
        use_positions: boolean. Whether to add positions. Defaults to `True`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        attributes: tensor of shape `(batch, events, attributes, width)`.
        mask: boolean tensor of shape `(batch, events)`, or `(batch, events,
            attributes)`: an event is valid if any attribute is. Optional.
        gap: integer tensor of shape `(batch, events)`, the bucket of the time
            gap. Required if `num_gaps` is not 0.
        attributes_mask: the same as `mask`. Keras sets it from the mask of
            `attributes` if `gap` is given too.

    Returns:
        Tensor of shape `(batch, events, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, or `gap` is missing
            or unused.

    Example:

    >>> import numpy as np
    >>> tokenize = EventTokenizer(dim=8, max_length=20)
    >>> attributes = np.ones((2, 20, 3, 4), "float32")
    >>> tuple(tokenize(attributes).shape)
    (2, 20, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), sequence tokens
    """

    def __init__(
        self,
        dim: int,
        max_length: int = 50,
        num_gaps: int = 0,
        use_positions: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True
        self.projection = keras.layers.Dense(
            dim, dtype=self.dtype_policy, name="projection"
        )

    def build(self, attributes_shape: Any, gap_shape: Any = None) -> None:
        check_gap(self.num_gaps, gap_shape)
        self.projection.build(
            (None, None, attributes_shape[-2] * attributes_shape[-1])
        )
        if self.use_positions:
            self.positions = self._small_table(
                "positions", self.max_length, self.dim
            )
        if self.num_gaps:
            self.gaps = self._small_table("gaps", self.num_gaps, self.dim)

    def call(
        self,
        attributes: Any,
        mask: Any = None,
        gap: Any = None,
        attributes_mask: Any = None,
    ) -> Any:
        mask = attributes_mask if mask is None else mask
        known = event_mask(attributes, mask)
        shape = ops.shape(attributes)
        width = attributes.shape[-2] * attributes.shape[-1]
        tokens = self.projection(ops.reshape(attributes, (-1, shape[1], width)))
        if self.use_positions:
            tokens = tokens + look_up(self.positions, count_back(known) - 1)
        if self.num_gaps:
            tokens = tokens + look_up(self.gaps, gap)
        return zero_padding(tokens, known)

    def compute_output_shape(
        self, attributes_shape: Any, gap_shape: Any = None
    ) -> Any:
        return (*attributes_shape[:2], self.dim)

    def compute_mask(self, attributes: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        return event_mask(attributes, previous_mask)
