"""What the layers share that read all tokens of a row in one MLP."""

from typing import Any

import keras
from keras import ops

from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import check_positive, check_rate

__all__ = ["FlatMLP"]


class FlatMLP(BaseLayer):
    """Base of the layers with `MLP(flatten(X))`, with one hidden layer."""

    def __init__(
        self,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(expansion=expansion)
        check_rate(dropout=dropout)
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout

    def _build_mlp(self, tokens_shape: Any, num_outputs: int, dim: int) -> None:
        """Builds the MLP, from tokens to `num_outputs` vectors of width `dim`.

        Its hidden layer is `expansion` such vectors wide.
        """
        _, count, width = tokens_shape
        self.mlp = self._part(
            MLP,
            "mlp",
            (None, count * width),
            units=num_outputs * dim,
            hidden_dims=(self.expansion * dim,),
            activation=self.activation,
            dropout=self.dropout,
        )

    def _apply_mlp(self, tokens: Any, training: bool | None) -> Any:
        """Returns a tensor of shape `(batch, num_outputs * dim)`."""
        _, count, width = tokens.shape
        flat = ops.reshape(tokens, (-1, count * width))
        return self.mlp(flat, training=training)
