"""Base class of layers that flatten the tokens of a row into one MLP."""

from typing import Any

from keras import ops

from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP

__all__ = ["FlatMLP"]


class FlatMLP(BaseLayer):
    """Base of layers with `MLP(flatten(X))`; the MLP has one hidden layer."""

    def __init__(
        self,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def _build_mlp(self, tokens_shape: Any, num_outputs: int, dim: int) -> None:
        """Builds the MLP, from tokens to `num_outputs` vectors of width `dim`.

        The width of its hidden layer is `expansion * dim`.
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
