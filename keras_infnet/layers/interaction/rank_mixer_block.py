"""Block of RankMixer: token mixing and per-token networks."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.token_dense import TokenDense

__all__ = ["RankMixerBlock"]


@export("keras_infnet.layers.RankMixerBlock")
class RankMixerBlock(BaseLayer):
    """Block of RankMixer: token mixing, then a network for each token.

    `S = LN(mix(X) + X)` and `X' = LN(W2_t act(W1_t S_t + b1_t) + b2_t + S)`.
    `mix` has no weights: it splits every token into as many parts as there are
    tokens, and concatenates part `h` of all tokens into token `h`.

    Args:
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `2`.
        activation: string or callable, of hidden layers. Defaults to `"gelu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)` with a known number of
            tokens, which divides `dim`.

    Returns:
        Tensor of the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer, or the number of
            tokens does not divide `dim`.

    Example:

    >>> import numpy as np
    >>> tuple(RankMixerBlock()(np.ones((2, 4, 8), "float32")).shape)
    (2, 4, 8)

    Reference:
    - [RankMixer](https://arxiv.org/abs/2507.15551), section 3
    """

    def __init__(
        self, expansion: int = 2, activation: Any = "gelu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, tokens_shape: Any) -> None:
        _, count, width = tokens_shape
        if width % count:
            raise ValueError(
                "the number of tokens must divide their width, because token "
                "mixing splits each into that many parts. Received: "
                f"{count} tokens of width {width}."
            )
        hidden_dim = self.expansion * width
        self.hidden = self._part(
            TokenDense,
            "hidden",
            tokens_shape,
            units=hidden_dim,
            activation=self.activation,
        )
        self.output_layer = self._part(
            TokenDense, "output", (None, count, hidden_dim), units=width
        )
        self.normalizations = [
            self._layer_norm(f"normalization_{i}", tokens_shape)
            for i in range(2)
        ]

    def call(self, tokens: Any) -> Any:
        _, count, width = tokens.shape
        parts = ops.reshape(tokens, (-1, count, count, width // count))
        mixed = ops.reshape(
            ops.transpose(parts, (0, 2, 1, 3)), (-1, count, width)
        )
        tokens = self.normalizations[0](mixed + tokens)
        changed = self.output_layer(self.hidden(tokens))
        return self.normalizations[1](changed + tokens)
