"""Concatenation of events and target, as in BST."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import count_back, look_up

__all__ = ["TargetSequence"]


@export("keras_infnet.layers.TargetSequence")
class TargetSequence(BaseLayer):
    """Appends the target to the events and adds learned positions.

    A token is the concatenation of all attributes of an event and a learned
    vector for its position. Positions count back from the target: the target
    has position 0, the newest event 1. Padding is not counted.

    Args:
        max_length: integer. Number of event positions; older events share the
            last one. Defaults to `50`.
        position_dim: integer. Width of the vector of a position. Defaults to
            `16`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        query: tensor of shape `(batch, attributes, dim)`, the target.
        events: tensor of shape `(batch, events, attributes, dim)`.
        events_mask: boolean tensor of shape `(batch, events)`, or `(batch,
            events, attributes)`: an event is valid if any attribute is.
            Optional.

    Returns:
        Tensor of shape
        `(batch, events + 1, attributes * dim + position_dim)`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> query, events = np.ones((2, 3, 4)), np.ones((2, 5, 3, 4))
    >>> tuple(TargetSequence(position_dim=4)(query, events).shape)
    (2, 6, 16)

    Reference:
    - [BST](https://arxiv.org/abs/1905.06874), section 2.1
    """

    def __init__(
        self, max_length: int = 50, position_dim: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, query_shape: Any, events_shape: Any) -> None:
        self.positions = self._small_table(
            "positions", self.max_length + 1, self.position_dim
        )

    def call(self, query: Any, events: Any, events_mask: Any = None) -> Any:
        mask = event_mask(events, events_mask)
        _, count, dim = query.shape
        width = count * dim
        query = ops.reshape(query, (-1, 1, width))
        events = ops.reshape(events, (-1, ops.shape(events)[1], width))
        back = count_back(mask)
        none = ops.zeros_like(ops.sum(back, axis=1, keepdims=True))
        back = ops.concatenate([back, none], axis=1)
        positions = look_up(self.positions, back)
        tokens = ops.concatenate([events, query], axis=1)
        positions = ops.cast(positions, tokens.dtype)
        return ops.concatenate([tokens, positions], axis=-1)

    def compute_output_shape(self, query_shape: Any, events_shape: Any) -> Any:
        length = None if events_shape[1] is None else events_shape[1] + 1
        width = query_shape[-2] * query_shape[-1] + self.position_dim
        return (events_shape[0], length, width)
