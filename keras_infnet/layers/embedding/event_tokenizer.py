"""One token an event of a behaviour."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.embedding.row_lookup import look_up
from keras_infnet.layers.sequence.event_order import count_back
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["EventTokenizer"]


@export("keras_infnet.layers.EventTokenizer")
class EventTokenizer(keras.layers.Layer):
    """Combines the attributes of every event of a behaviour to one token.

    `s_t = Dense([e_1 ; ... ; e_A]) + position(t) + gap(t)`. The position is
    counted back from the request: the newest event has index 0, wherever the
    padding lies. The gap is the bucket of the time between the event and the
    request. Both are learned.

    Masking: tokens of padding are zero.

    Args:
        dim: integer. Width of a token.
        max_length: integer. Number of learned positions; older events share
            the last one. Defaults to `50`.
        num_gaps: integer. Number of gap buckets, "unknown" included. `0`
            leaves gaps out. Defaults to `0`.
        use_positions: boolean. Whether to add positions. Defaults to `True`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        attributes: tensor of shape `(batch, events, attributes, width)`.
        valid: boolean tensor of shape `(batch, events)`, `True` for events.
        gap: integer tensor of shape `(batch, events)`, bucket of the time
            gap. Needed if `num_gaps` is not 0.

    Returns:
        Tensor of shape `(batch, events, dim)`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tokenize = EventTokenizer(dim=8, max_length=20)
    >>> attributes = np.ones((2, 20, 3, 4), "float32")
    >>> tuple(tokenize(attributes, np.ones((2, 20), bool)).shape)
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
        check_positive(dim=dim, max_length=max_length)
        self.dim = dim
        self.max_length = max_length
        self.num_gaps = num_gaps
        self.use_positions = use_positions
        self.projection = keras.layers.Dense(
            dim, dtype=self.dtype_policy, name="projection"
        )

    def build(
        self, attributes_shape: Any, valid_shape: Any, gap_shape: Any = None
    ) -> None:
        self.projection.build(
            (None, None, attributes_shape[-2] * attributes_shape[-1])
        )
        if self.use_positions:
            self.positions = self.add_weight(
                name="positions",
                shape=(self.max_length, self.dim),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
            )
        if self.num_gaps:
            self.gaps = self.add_weight(
                name="gaps",
                shape=(self.num_gaps, self.dim),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
            )
        self.built = True

    def call(self, attributes: Any, valid: Any, gap: Any = None) -> Any:
        shape = ops.shape(attributes)
        width = attributes.shape[-2] * attributes.shape[-1]
        tokens = self.projection(ops.reshape(attributes, (-1, shape[1], width)))
        if self.use_positions:
            tokens = tokens + look_up(self.positions, count_back(valid) - 1)
        if self.num_gaps:
            tokens = tokens + look_up(self.gaps, gap)
        return tokens * ops.cast(ops.expand_dims(valid, -1), tokens.dtype)

    def compute_output_shape(
        self, attributes_shape: Any, valid_shape: Any, gap_shape: Any = None
    ) -> Any:
        return (*attributes_shape[:2], self.dim)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            dim=self.dim,
            max_length=self.max_length,
            num_gaps=self.num_gaps,
            use_positions=self.use_positions,
        )
        return config
