"""What the layers share that read all tokens of a row in one MLP."""

from typing import Any

import keras
from keras import ops

from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["FlatMLP"]


class FlatMLP(keras.layers.Layer):
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
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout

    def _build_mlp(self, tokens_shape: Any, num_outputs: int, dim: int) -> None:
        """Builds the MLP, from tokens to `num_outputs` vectors of width `dim`.

        Its hidden layer is `expansion` such vectors wide.
        """
        _, count, width = tokens_shape
        self.mlp = MLP(
            num_outputs * dim,
            hidden_dims=(self.expansion * dim,),
            activation=self.activation,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name="mlp",
        )
        self.mlp.build((None, count * width))

    def _apply_mlp(self, tokens: Any, training: bool | None) -> Any:
        """Returns a tensor of shape `(batch, num_outputs * dim)`."""
        _, count, width = tokens.shape
        flat = ops.reshape(tokens, (-1, count * width))
        return self.mlp(flat, training=training)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            expansion=self.expansion,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config
