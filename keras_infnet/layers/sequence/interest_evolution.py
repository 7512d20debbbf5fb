"""Interest extraction and evolution of DIEN."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.layers.masking import event_mask, masked_softmax
from keras_infnet.layers.sequence.attentional_gru_cell import AttentionalGRUCell
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["InterestEvolution"]

_GRU_TYPES = ("augru", "agru", "aigru", "gru")
_ATTENTIONS = ("bilinear", "dot", "din")


@export("keras_infnet.layers.InterestEvolution")
class InterestEvolution(BaseLayer):
    """Encodes a behavior with two GRUs, the second attending to the target.

    ```
    h_t = GRU(h_{t-1}, e_t)
    a_t = softmax over the valid events of score(h_t, q)
    s_t = (1 - a_t u_t) * s_{t-1} + a_t u_t * n_t          ("augru")
    ```

    The output is the last `s`. With `"agru"` the weight `a_t` replaces the
    update gate `u_t`, with `"aigru"` it multiplies the input `h_t`, and
    `"gru"` ignores the target. `score` is `h_t W q` ("bilinear", `W`
    starts as the identity), `h_t q` ("dot") or an MLP on
    `[q, h_t, q - h_t, q * h_t]` ("din").

    With `auxiliary_weight` and negative events (`negatives`), the layer adds
    the loss `-weight * mean(log sigmoid(h_t e_{t+1}) +
    log(1 - sigmoid(h_t e^-_{t+1})))` over the pairs of adjacent events.

    Masking: padding at any position is skipped. The output has no mask.

    Args:
        gru_type: `"augru"`, `"agru"`, `"aigru"` or `"gru"`. Defaults to
            `"augru"`.
        attention: `"bilinear"`, `"dot"` or `"din"`. Defaults to `"bilinear"`.
        attention_dims: sequence of integers. Hidden widths of the MLP of
            `"din"`. Defaults to `(64,)`.
        activation: string or callable. Activation of that MLP. Defaults to
            `"relu"`.
        auxiliary_weight: float. Weight of the auxiliary loss. Defaults to
            `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        query: tensor of shape `(batch, attributes, dim)`, the target.
        events: tensor of shape `(batch, events, attributes, dim)`.
        events_mask: boolean tensor of shape `(batch, events)`, or `(batch,
            events, attributes)`: an event is valid if any attribute is.
            Optional.
        negatives: tensor of the shape of `events`, a negative example for each
            event. Optional.
        training: boolean. Whether to add the auxiliary loss.

    Returns:
        Tensor of shape `(batch, attributes, dim)`; zero without events.

    Raises:
        ValueError: If a choice is unknown or a size is not a positive
            integer.

    Example:

    >>> import numpy as np
    >>> query, events = np.ones((2, 3, 4)), np.ones((2, 5, 3, 4))
    >>> tuple(InterestEvolution()(query, events).shape)
    (2, 3, 4)

    Reference:
    - [DIEN](https://arxiv.org/abs/1809.03672), sections 4.2 and 4.3
    """

    def __init__(
        self,
        gru_type: str = "augru",
        attention: str = "bilinear",
        attention_dims: Sequence[int] = (64,),
        activation: Any = "relu",
        auxiliary_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("gru_type", gru_type, _GRU_TYPES)
        check_choice("attention", attention, _ATTENTIONS)

    def build(
        self, query_shape: Any, events_shape: Any, negatives_shape: Any = None
    ) -> None:
        width = query_shape[-2] * query_shape[-1]
        shape = (None, None, width)
        self.extraction = self._part(
            keras.layers.GRU,
            "extraction",
            shape,
            units=width,
            return_sequences=True,
            # The cuDNN kernels reject the masks of rows without events.
            use_cudnn=False,
        )
        cell = AttentionalGRUCell(
            width,
            "gru" if self.gru_type == "aigru" else self.gru_type,
            dtype=self.dtype_policy,
            name="cell",
        )
        self.evolution = self._part(
            keras.layers.RNN, "evolution", (None, None, width + 1), cell=cell
        )
        self._build_scorer(width)

    def _build_scorer(self, width: int) -> None:
        self.hidden: Any = None
        self.scorer: Any = None
        if self.gru_type == "gru" or self.attention == "dot":
            return
        inputs, units, start = width, width, "identity"
        if self.attention == "din":
            inputs, units, start = 4 * width, 1, "glorot_uniform"
            if self.attention_dims:
                self.hidden = self._part(
                    MLP,
                    "hidden",
                    (None, None, inputs),
                    units=None,
                    hidden_dims=self.attention_dims,
                    activation=self.activation,
                )
                inputs = self.attention_dims[-1]
        self.scorer = self._dense(
            "scorer",
            (None, None, inputs),
            units,
            # Adding the same number to all scores does not change the softmax.
            use_bias=False,
            kernel_initializer=start,
        )

    def call(
        self,
        query: Any,
        events: Any,
        events_mask: Any = None,
        negatives: Any = None,
        training: bool | None = None,
    ) -> Any:
        _, count, dim = query.shape
        query = ops.reshape(query, (-1, 1, count * dim))
        order, valid = _valid_first(event_mask(events, events_mask))
        events = self._ordered(events, order, count * dim)
        interests = self.extraction(events, mask=valid, training=training)
        if training and self.auxiliary_weight and negatives is not None:
            negatives = self._ordered(negatives, order, count * dim)
            loss = _next_event_loss(interests, events, negatives, valid)
            self.add_loss(self.auxiliary_weight * loss)
        if self.gru_type == "gru":
            weights = ops.cast(ops.expand_dims(valid, -1), interests.dtype)
        else:
            weights = self._weights(query, interests, valid)
        if self.gru_type == "aigru":
            interests = interests * weights
        state = self.evolution(
            ops.concatenate([interests, weights], axis=-1),
            mask=valid,
            training=training,
        )
        return ops.reshape(state, (-1, count, dim))

    def _ordered(self, events: Any, order: Any, width: int) -> Any:
        flat = ops.reshape(events, (-1, ops.shape(events)[1], width))
        return ops.take_along_axis(flat, ops.expand_dims(order, -1), axis=1)

    def _weights(self, query: Any, interests: Any, valid: Any) -> Any:
        """Softmax over the valid events, `(batch, events, 1)`."""
        if self.attention == "din":
            query = query + ops.zeros_like(interests)
            x = ops.concatenate(
                [query, interests, query - interests, query * interests],
                axis=-1,
            )
            scores = self.scorer(x if self.hidden is None else self.hidden(x))
        else:
            if self.scorer is not None:
                query = self.scorer(query)
            scores = ops.sum(interests * query, axis=-1, keepdims=True)
        weights = masked_softmax(scores[..., 0], valid)
        return ops.expand_dims(weights, -1)

    def compute_mask(self, query: Any, previous_mask: Any) -> Any:
        return None


def _valid_first(mask: Any) -> tuple[Any, Any]:
    """Returns the order that puts valid events first, and the sorted mask."""
    valid = ops.cast(mask, "int32")
    ones = ops.ones_like(valid)
    index = ops.cumsum(ones, axis=1)
    length = ops.sum(ones, axis=1, keepdims=True)
    order = ops.argsort(index + (1 - valid) * length, axis=1)
    count = ops.sum(valid, axis=1, keepdims=True)
    return order, index <= count


def _next_event_loss(
    interests: Any, events: Any, negatives: Any, valid: Any
) -> Any:
    """Cross-entropy of the next event against its negative example."""
    interests = ops.cast(interests[:, :-1], "float32")
    losses = []
    for following, sign in ((events, 1.0), (negatives, -1.0)):
        following = ops.cast(following[:, 1:], "float32")
        scores = ops.sum(interests * following, axis=-1)
        losses.append(ops.softplus(-sign * scores))
    weights = ops.cast(valid[:, 1:], "float32")
    total = ops.sum((losses[0] + losses[1]) * weights)
    return total / ops.maximum(ops.sum(weights), 1.0)
