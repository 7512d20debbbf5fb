"""Parallel MLPs of the same shape."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import glorot_of_each_matrix
from keras_infnet.layers.dense.mlp import seeded_dropouts

__all__ = ["ExpertMLPs"]


@export("keras_infnet.layers.ExpertMLPs")
class ExpertMLPs(BaseLayer):
    """Applies several MLPs with separate weights to the same vector.

    `y_e = act(... act(x W_{e,1} + b_{e,1}) ...)` for every expert `e`. The
    first layers of all experts are one matrix product.

    Args:
        num_experts: integer. Number of experts.
        hidden_dims: sequence of integers, not empty. Widths of the layers
            of an expert. Defaults to `(512, 256, 128)`.
        activation: string or callable. Activation of all layers. Defaults to
            `"relu"`.
        dropout: float in `[0, 1)`. Rate after every layer. Defaults to
            `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, features)`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of shape `(batch, num_experts, hidden_dims[-1])`.

    Raises:
        ValueError: If a size is not a positive integer, or there is no layer.

    Example:

    >>> import numpy as np
    >>> experts = ExpertMLPs(3, hidden_dims=(8, 4))
    >>> tuple(experts(np.ones((2, 5), "float32")).shape)
    (2, 3, 4)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007), section 4.2
    """

    def __init__(
        self,
        num_experts: int,
        hidden_dims: Sequence[int] = (512, 256, 128),
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        if not hidden_dims:
            raise ValueError(
                "`hidden_dims` must hold at least one width. "
                "Received: hidden_dims=()."
            )
        self.dropout_layers = seeded_dropouts(
            len(self.hidden_dims), dropout, self.dtype_policy
        )

    def build(self, x_shape: Any) -> None:
        self.kernels, self.biases = [], []
        inputs = x_shape[-1]
        count = self.num_experts
        for i, outputs in enumerate(self.hidden_dims):
            glorot = glorot_of_each_matrix(inputs, outputs)
            kernel = self._weight(
                f"kernel_{i}", count, inputs, outputs, initializer=glorot
            )
            self.kernels.append(kernel)
            self.biases.append(self._zeros(f"bias_{i}", count, outputs))
            inputs = outputs

    def call(self, x: Any, training: bool | None = None) -> Any:
        for i, (kernel, bias) in enumerate(
            zip(self.kernels, self.biases, strict=True)
        ):
            equation = "bni,nio->bno" if i else "bi,nio->bno"
            x = self.activation(ops.einsum(equation, x, kernel) + bias)
            if self.dropout_layers:
                x = self.dropout_layers[i](x, training=training)
        return x

    def compute_output_shape(self, x_shape: Any) -> Any:
        return (x_shape[0], self.num_experts, self.hidden_dims[-1])
