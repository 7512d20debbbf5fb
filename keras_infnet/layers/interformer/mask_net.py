"""All sequences of a row, weighted and merged event by event."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["MaskNet"]


@export("keras_infnet.layers.MaskNet")
class MaskNet(keras.layers.Layer):
    """Makes one token of everything that is known of an event.

    `outputs = Dense(c * MLP(c))` with `MLP(c) = sigmoid(Dense(act(Dense(c))))`,
    where `c` holds the embeddings of all sequences at one event side by side.
    The MLP is as wide as `c` and tells how much each of its numbers counts.

    Masking: tokens of padding are zero.

    Args:
        dim: integer. Width of a token. Defaults to `64`.
        activation: string or callable. Activation of the hidden layer.
            Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, events, features)`.
        valid: boolean tensor of shape `(batch, events)`. Optional.

    Returns:
        Tensor of shape `(batch, events, dim)`.

    Raises:
        ValueError: If `dim` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tuple(MaskNet(dim=8)(np.ones((2, 5, 12), "float32")).shape)
    (2, 5, 8)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equation 6
    """

    def __init__(
        self, dim: int = 64, activation: Any = "silu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive(dim=dim)
        self.dim = dim
        self.activation = keras.activations.get(activation)

    def build(self, x_shape: Any, valid_shape: Any = None) -> None:
        width = x_shape[-1]
        self.hidden_layer = self._dense(width, self.activation, "hidden")
        self.mask_layer = self._dense(width, "sigmoid", "mask")
        self.output_layer = self._dense(self.dim, None, "output")
        for layer in (self.hidden_layer, self.mask_layer, self.output_layer):
            layer.build(x_shape)
        self.built = True

    def _dense(self, units: int, activation: Any, name: str) -> Any:
        return keras.layers.Dense(
            units, activation=activation, dtype=self.dtype_policy, name=name
        )

    def call(self, x: Any, valid: Any = None) -> Any:
        weights = self.mask_layer(self.hidden_layer(x))
        tokens = self.output_layer(x * weights)
        if valid is None:
            return tokens
        return tokens * ops.cast(ops.expand_dims(valid, -1), tokens.dtype)

    def compute_output_shape(
        self, x_shape: Any, valid_shape: Any = None
    ) -> Any:
        return (*x_shape[:-1], self.dim)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            dim=self.dim,
            activation=keras.activations.serialize(self.activation),
        )
        return config
