"""Softmax gate over the outputs of experts."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP

__all__ = ["ExpertGate"]


@export("keras_infnet.layers.ExpertGate")
class ExpertGate(BaseLayer):
    """Weighted sum of the outputs of experts, with softmax weights.

    `y = sum_e softmax(MLP(x) W)_e experts_e`. Without hidden layers the gate
    is linear, as in the MMoE paper.

    Args:
        hidden_dims: sequence of integers. Hidden widths of the gate. Defaults
            to `()`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, features)`, the input of the gate.
        experts: tensor of shape `(batch, experts, dim)`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor of shape `(batch, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, or there is only
            one expert.

    Example:

    >>> import numpy as np
    >>> x, experts = np.ones((2, 5)), np.ones((2, 3, 4))
    >>> tuple(ExpertGate()(x, experts).shape)
    (2, 4)

    Reference:
    - [MMoE](https://doi.org/10.1145/3219819.3220007), equation 6
    """

    def __init__(
        self,
        hidden_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.hidden = None
        if self.hidden_dims:
            self.hidden = MLP(
                None,
                hidden_dims,
                self.activation,
                dropout,
                dtype=self.dtype_policy,
                name="hidden",
            )

    def build(self, x_shape: Any, experts_shape: Any) -> None:
        if experts_shape[1] < 2:
            raise ValueError(
                "`experts` must hold the outputs of at least two experts. "
                f"Received: experts of shape {tuple(experts_shape)}. Raise "
                "the number of experts, or use SharedBottom."
            )
        width = x_shape[-1]
        if self.hidden is not None:
            self.hidden.build(x_shape)
            width = self.hidden_dims[-1]
        # Without a bias: the paper's gate is a linear map.
        self.kernel = self._weight("kernel", width, experts_shape[1])

    def call(self, x: Any, experts: Any, training: bool | None = None) -> Any:
        if self.hidden is not None:
            x = self.hidden(x, training=training)
        scores = ops.cast(ops.matmul(x, self.kernel), "float32")
        weights = ops.cast(ops.softmax(scores, axis=-1), experts.dtype)
        return ops.einsum("bn,bnd->bd", weights, experts)

    def compute_output_shape(self, x_shape: Any, experts_shape: Any) -> Any:
        return (experts_shape[0], experts_shape[2])
