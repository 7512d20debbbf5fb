"""One token a behaviour."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["BehaviorPooling"]


@export("keras_infnet.layers.BehaviorPooling")
class BehaviorPooling(keras.layers.Layer):
    """Pools the events of a behaviour to one token.

    `outputs = sum_t f(s_t)` or the mean, over the valid events. `f` is linear
    (`hidden_dim=None`) or has one hidden layer. The output layer of `f` is
    linear and commutes with the pooling, so it is applied once a behaviour
    and not once an event: `sum_t (h_t W + b) = (sum_t h_t) W + n b`.

    Masking: events of padding do not count. Without any valid event the
    result is zero.

    Args:
        reduction: `"mean"` or `"sum"`. Defaults to `"mean"`.
        hidden_dim: integer or `None`. Width of the hidden layer; `None`
            makes `f` linear. Defaults to `None`.
        activation: string or callable. Activation of the hidden layer.
            Defaults to `"relu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, events, dim)`.
        valid: boolean tensor of shape `(batch, events)`.

    Returns:
        Tensor of shape `(batch, 1, dim)`.

    Raises:
        ValueError: If `reduction` is not known, or a size is not positive.

    Example:

    >>> import numpy as np
    >>> tokens = np.ones((2, 50, 8), "float32")
    >>> pooled = BehaviorPooling(hidden_dim=8)(tokens, np.ones((2, 50), bool))
    >>> tuple(pooled.shape)
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
        if reduction not in ("mean", "sum"):
            raise ValueError(
                "`reduction` must be 'mean' or 'sum'. "
                f"Received: reduction={reduction!r}."
            )
        check_positive(hidden_dim=1 if hidden_dim is None else hidden_dim)
        self.reduction = reduction
        self.hidden_dim = hidden_dim
        self.activation = keras.activations.get(activation)

    def build(self, tokens_shape: Any, valid_shape: Any) -> None:
        width = dim = tokens_shape[-1]
        self.hidden_layer = None
        if self.hidden_dim is not None:
            self.hidden_layer = keras.layers.Dense(
                self.hidden_dim,
                activation=self.activation,
                dtype=self.dtype_policy,
                name="hidden",
            )
            self.hidden_layer.build(tokens_shape)
            width = self.hidden_dim
        self.kernel = self.add_weight(
            name="kernel", shape=(width, dim), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(
            name="bias", shape=(dim,), initializer="zeros"
        )
        self.built = True

    def call(self, tokens: Any, valid: Any) -> Any:
        if self.hidden_layer is not None:
            tokens = self.hidden_layer(tokens)
        dtype = tokens.dtype
        # Sums over long behaviours leave the range of half precision.
        counted = ops.cast(ops.expand_dims(valid, 1), "float32")
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

    def compute_output_shape(self, tokens_shape: Any, valid_shape: Any) -> Any:
        return (tokens_shape[0], 1, tokens_shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            reduction=self.reduction,
            hidden_dim=self.hidden_dim,
            activation=keras.activations.serialize(self.activation),
        )
        return config
