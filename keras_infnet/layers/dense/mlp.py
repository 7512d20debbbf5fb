"""Multilayer perceptron."""

import random
from collections.abc import Sequence
from typing import Any

import keras

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["MLP", "batch_normalization", "seeded_dropouts"]


@export("keras_infnet.layers.MLP")
class MLP(BaseLayer):
    """Hidden dense layers with an activation, then a linear output layer.

    `outputs = Dense(units)(act(Dense(h_n)(... act(Dense(h_1)(x)))))`, with
    dropout after every activation and optional batch normalization before it.

    Args:
        units: integer or `None`. Width of the output; `None` leaves
            the output layer out and returns the last hidden layer.
        hidden_dims: sequence of integers. Widths of the hidden layers; may be
            empty if there is an output layer. Defaults to `()`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate after every hidden layer. Defaults
            to `0.0`.
        kernel_initializer: initializer of all kernels. Defaults to
            `"glorot_uniform"`.
        use_batch_norm: boolean. Whether to normalize before every
            activation. Defaults to `False`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(..., features)`.
        training: boolean. Whether dropout is active and batch normalization
            uses the statistics of the batch.
        mask: boolean tensor of shape `(...)`. Masked tokens are left out of
            the statistics of batch normalization. Optional.

    Returns:
        Tensor of shape `(..., units)`.

    Raises:
        ValueError: If a size is not a positive integer, or there is no layer.

    Example:

    >>> import numpy as np
    >>> MLP(3, hidden_dims=(8,))(np.ones((2, 5), "float32")).shape[-1]
    3
    """

    def __init__(
        self,
        units: int | None,
        hidden_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        use_batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        if units is None and not hidden_dims:
            raise ValueError(
                "`hidden_dims` must hold at least one width if `units` is "
                "None. Received: hidden_dims=(), units=None."
            )
        self.supports_masking = True
        inside = None if use_batch_norm else self.activation
        self.hidden_layers = [
            self._unbuilt_dense(width, inside, f"hidden_{i}")
            for i, width in enumerate(self.hidden_dims)
        ]
        self.normalizations = [
            batch_normalization(self.dtype_policy, f"normalization_{i}")
            for i in range(len(self.hidden_dims) if use_batch_norm else 0)
        ]
        self.dropout_layers = seeded_dropouts(
            len(self.hidden_dims), dropout, self.dtype_policy
        )
        self.output_layer = None
        if units is not None:
            self.output_layer = self._unbuilt_dense(units, None, "output")

    def _unbuilt_dense(self, width: int, activation: Any, name: str) -> Any:
        return keras.layers.Dense(
            width,
            activation=activation,
            # A copy without the seed, so that no two kernels start equal.
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, x_shape: Any) -> None:
        width = x_shape[-1]
        for i, layer in enumerate(self.hidden_layers):
            layer.build((*x_shape[:-1], width))
            width = layer.units
            if self.normalizations:
                self.normalizations[i].build((*x_shape[:-1], width))
        if self.output_layer is not None:
            self.output_layer.build((*x_shape[:-1], width))

    def call(
        self, x: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        for i, layer in enumerate(self.hidden_layers):
            x = layer(x)
            if self.normalizations:
                x = self.normalizations[i](x, training=training, mask=mask)
                x = self.activation(x)
            if self.dropout_layers:
                x = self.dropout_layers[i](x, training=training)
        return x if self.output_layer is None else self.output_layer(x)

    def compute_output_shape(self, x_shape: Any) -> Any:
        width = self.hidden_dims[-1] if self.units is None else self.units
        return (*x_shape[:-1], width)


def batch_normalization(dtype: Any, name: str) -> Any:
    """Makes a batch normalization layer with the defaults of PyTorch.

    With those of Keras, moving averages change ten times as slowly.
    """
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )


def seeded_dropouts(count: int, rate: float, dtype: Any) -> list[Any]:
    """Makes dropout layers with seeds, or none at rate 0.

    With a seed, their state is a variable on PyTorch too, so that a resumed
    run drops the same units.
    """
    if not rate:
        return []
    return [
        keras.layers.Dropout(rate, seed=random.randint(1, 10**9), dtype=dtype)
        for _ in range(count)
    ]
