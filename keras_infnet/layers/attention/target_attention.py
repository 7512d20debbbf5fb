"""Attention of a target to past events, as in DIN."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.dice import Dice
from keras_infnet.layers.masking import event_mask, masked_softmax

__all__ = ["TargetAttention"]


@export("keras_infnet.layers.TargetAttention")
class TargetAttention(BaseLayer):
    """Weighted sum of past events, with weights from an MLP on the target.

    `a_t = MLP([q, h_t, q - h_t, q * h_t])` and `y = sum_t a_t h_t` over the
    valid events, where `q` and `h_t` are the concatenated attributes of the
    target and of an event. The weights sum to 1 only with `use_softmax`. The
    first layer is applied to the four parts separately, so that they are
    never concatenated.

    Masking: masked events have weight 0. The output has no mask.

    Args:
        hidden_dims: sequence of integers. Hidden widths of the MLP. Defaults
            to `(64,)`.
        activation: string or callable. Activation of the hidden layers;
            `"dice"` is `keras_infnet.layers.Dice`. Defaults to `"dice"`.
        use_softmax: boolean. Whether weights are a softmax over the valid
            events. Defaults to `False`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        query: tensor of shape `(batch, attributes, dim)`, the target.
        events: tensor of shape `(batch, events, attributes, dim)`.
        events_mask: boolean tensor of shape `(batch, events)`, or `(batch,
            events, attributes)`: an event is valid if any attribute is.
            Optional.
        training: boolean. Whether `Dice` uses the statistics of the batch.

    Returns:
        Tensor of shape `(batch, attributes, dim)`; zero without events.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> query, events = np.ones((2, 3, 4)), np.ones((2, 5, 3, 4))
    >>> tuple(TargetAttention()(query, events).shape)
    (2, 3, 4)

    Reference:
    - [DIN](https://arxiv.org/abs/1706.06978), section 4.3
    """

    def __init__(
        self,
        hidden_dims: Sequence[int] = (64,),
        activation: Any = "dice",
        use_softmax: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Dice has weights, so it is a layer instead of a function.
        known = None if activation == "dice" else activation
        self._store({**locals(), "activation": known})
        if activation == "dice":
            self.activation = activation

    def build(self, query_shape: Any, events_shape: Any) -> None:
        width = query_shape[-2] * query_shape[-1]
        widths = (*self.hidden_dims, 1)
        self.kernel = self._weight("kernel", 4 * width, widths[0])
        # Adding the same number to all scores does not change their softmax.
        last = not self.use_softmax
        self.bias = None
        if self.hidden_dims or last:
            self.bias = self._zeros("bias", widths[0])
        self.activations, self.dense_layers = [], []
        for i, width in enumerate(self.hidden_dims):
            shape = (None, None, width)
            if self.activation == "dice":
                self.activations.append(self._part(Dice, f"dice_{i}", shape))
            use_bias = last or i + 1 < len(self.hidden_dims)
            self.dense_layers.append(
                self._dense(
                    f"dense_{i}", shape, widths[i + 1], use_bias=use_bias
                )
            )

    def call(
        self,
        query: Any,
        events: Any,
        events_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        mask = event_mask(events, events_mask)
        _, count, dim = query.shape
        query = ops.reshape(query, (-1, 1, count * dim))
        length = ops.shape(events)[1]
        events = ops.reshape(events, (-1, length, count * dim))
        scores = self._scores(query, events, mask, training)
        weights = self._weights(ops.cast(scores, "float32")[..., 0], mask)
        pooled = ops.einsum(
            "bt,btw->bw", ops.cast(weights, events.dtype), events
        )
        return ops.reshape(pooled, (-1, count, dim))

    def _scores(
        self, query: Any, events: Any, mask: Any, training: bool | None
    ) -> Any:
        of_query, of_event, of_difference, of_product = ops.split(
            ops.cast(self.kernel, self.compute_dtype), 4, axis=0
        )
        x = (
            ops.matmul(query, of_query + of_difference)
            + ops.matmul(events, of_event - of_difference)
            + ops.matmul(query * events, of_product)
        )
        if self.bias is not None:
            x = x + ops.cast(self.bias, self.compute_dtype)
        for i, layer in enumerate(self.dense_layers):
            if self.activation == "dice":
                x = self.activations[i](x, mask=mask, training=training)
            else:
                x = self.activation(x)
            x = layer(x)
        return x

    def _weights(self, scores: Any, mask: Any) -> Any:
        if self.use_softmax:
            return masked_softmax(scores, mask)
        return scores * ops.cast(mask, "float32")

    def compute_mask(self, query: Any, previous_mask: Any) -> Any:
        return None
