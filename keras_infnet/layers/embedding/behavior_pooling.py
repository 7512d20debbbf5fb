"""Pooling of the events of a behavior."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import event_mask
from keras_infnet.utils.argument_checks import (
    check_choice,
)

__all__ = ["BehaviorPooling"]


@export("keras_infnet.layers.BehaviorPooling")
class BehaviorPooling(BaseLayer):
    """Pools the events of a behavior into one token.

    `outputs = sum_t f(s_t)`, or the mean, over the valid events. `f` is linear
    (`hidden_dim=None`) or has one hidden layer. Its output layer is linear and
    commutes with the pooling, so it is applied once per behavior instead of
    once per event: `sum_t (h_t W + b) = (sum_t h_t) W + n b`.

    Masking: padding is left out. Without any valid event the output is zero.
    The output has no mask.

    Args:
        reduction: `"mean"` or `"sum"`. Defaults to `"mean"`.
        hidden_dim: integer or `None`. Width of the hidden layer; `None`
            makes `f` linear. Defaults to `None`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, events, dim)`.
        mask: boolean tensor of shape `(batch, events)`. Optional.

    Returns:
        Tensor of shape `(batch, 1, dim)`.

    Raises:
        ValueError: If `reduction` is unknown, or a size is not positive.

    Example:

    >>> import numpy as np
    >>> tokens = np.ones((2, 50, 8), "float32")
    >>> tuple(BehaviorPooling(hidden_dim=8)(tokens).shape)
    (2, 1, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), sequence proxies and hubs
    """

    def __init__(
        self,
        reduction: str = "mean",
        hidden_dim: int | None = None,
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("reduction", reduction, ("mean", "sum"))

    def build(self, tokens_shape: Any) -> None:
        width = dim = tokens_shape[-1]
        self.hidden_layer = None
        if self.hidden_dim is not None:
            width = self.hidden_dim
            self.hidden_layer = self._dense(
                "hidden", tokens_shape, width, activation=self.activation
            )
        self.kernel = self._weight("kernel", width, dim)
        self.bias = self._zeros("bias", dim)

    def call(self, tokens: Any, mask: Any = None) -> Any:
        mask = event_mask(tokens, mask)
        if self.hidden_layer is not None:
            tokens = self.hidden_layer(tokens)
        dtype = tokens.dtype
        # Sums over long behaviors overflow in half precision.
        counted = ops.cast(ops.expand_dims(mask, 1), "float32")
        count = ops.sum(counted, axis=-1, keepdims=True)  # (batch, 1, 1)
        weights = counted
        if self.reduction == "mean":
            weights = counted / ops.maximum(count, 1.0)
            count = ops.minimum(count, 1.0)
        pooled = ops.einsum(
            "bql,bld->bqd", weights, ops.cast(tokens, "float32")
        )
        kernel = ops.cast(self.kernel, "float32")
        bias = ops.cast(self.bias, "float32")
        return ops.cast(ops.matmul(pooled, kernel) + count * bias, dtype)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (tokens_shape[0], 1, tokens_shape[-1])

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return None
