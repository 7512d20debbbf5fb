"""Weighting and merging of the sequences of a row, event by event."""

from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import zero_padding

__all__ = ["MaskNet"]


@export("keras_infnet.layers.MaskNet")
class MaskNet(BaseLayer):
    """Merges the embeddings of an event into one token by weighting them.

    `outputs = Dense(c * MLP(c))` with `MLP(c) = sigmoid(Dense(act(Dense(c))))`,
    where `c` is the concatenation of the embeddings of all sequences at one
    event. The MLP is as wide as `c` and computes a weight for each element.

    Masking: padding is zero, and the mask is passed on.

    Args:
        dim: integer. Width of a token. Defaults to `64`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, events, features)`.
        mask: boolean tensor of shape `(batch, events)`. Optional.

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
        self._store(locals())
        self.supports_masking = True

    def build(self, x_shape: Any) -> None:
        width = x_shape[-1]
        self.hidden_layer = self._dense(
            "hidden", x_shape, width, activation=self.activation
        )
        self.mask_layer = self._dense(
            "mask", x_shape, width, activation="sigmoid"
        )
        self.output_layer = self._dense("output", x_shape, self.dim)

    def call(self, x: Any, mask: Any = None) -> Any:
        weights = self.mask_layer(self.hidden_layer(x))
        return zero_padding(self.output_layer(x * weights), mask)

    def compute_output_shape(self, x_shape: Any) -> Any:
        return (*x_shape[:-1], self.dim)
