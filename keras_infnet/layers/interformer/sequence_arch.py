"""A sequence that is changed by its row and by itself."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.rotary_attention import RotaryAttention
from keras_infnet.layers.dense.mlp import seeded_dropouts
from keras_infnet.layers.interformer.personalized_ffn import PersonalizedFFN
from keras_infnet.utils.argument_checks import check_choice, check_positive

__all__ = ["SequenceArch"]


@export("keras_infnet.layers.SequenceArch")
class SequenceArch(keras.layers.Layer):
    """A personalised feed-forward network, then self-attention.

    With the sequence `S` and the summary `X_sum` of the fields:

    ```
    residual:  S_1 = S + PFFN(X_sum, LN(S)),  S' = S_1 + MHA(LN(S_1))
    literal:   S' = MHA(PFFN(X_sum, S))
    ```

    `MHA` has rotary positions (`keras_infnet.layers.RotaryAttention`), `PFFN`
    is `keras_infnet.layers.PersonalizedFFN`.

    Masking: padding is never read, and is zero in the result.

    Args:
        num_heads: integer. Must divide the width of a token; heads must be of
            even width. Defaults to `4`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`. Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`; `None`
            is that of a token. Defaults to `None`.
        residual: boolean. `False` is the literal form. Defaults to `True`.
        activation: string or callable. Activation of the hidden layers.
            Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate behind the attention. Defaults to
            `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence: tensor of shape `(batch, tokens, dim)`.
        summary: tensor of shape `(batch, summary_tokens, dim)`.
        valid: boolean tensor of shape `(batch, tokens)`.
        positions: integer tensor of shape `(batch, tokens)`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor with the shape of `sequence`.

    Raises:
        ValueError: If a size is not a positive integer or does not fit, or
            the mode is not known.

    Example:

    >>> import numpy as np
    >>> sequence = np.ones((2, 5, 8), "float32")
    >>> valid, places = np.ones((2, 5), bool), np.array([[0, 4, 3, 2, 1]] * 2)
    >>> arch = SequenceArch(num_heads=2)
    >>> tuple(arch(sequence, sequence[:, :3], valid, places).shape)
    (2, 5, 8)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equations 8 and 9
    """

    def __init__(
        self,
        num_heads: int = 4,
        pffn: str = "hyper",
        pffn_hidden_dim: int | None = None,
        residual: bool = True,
        activation: Any = "silu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads)
        check_choice("pffn", pffn, ("lowrank", "hyper", "twolayer"))
        self.num_heads = num_heads
        self.pffn = pffn
        self.pffn_hidden_dim = pffn_hidden_dim
        self.residual = residual
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self.feed_forward = PersonalizedFFN(
            pffn,
            pffn_hidden_dim,
            self.activation,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.dropout_layers = seeded_dropouts(1, dropout, self.dtype_policy)

    def build(
        self,
        sequence_shape: Any,
        summary_shape: Any,
        valid_shape: Any,
        positions_shape: Any,
    ) -> None:
        self.feed_forward.build(sequence_shape, summary_shape)
        self.attention = RotaryAttention(
            self.num_heads, dtype=self.dtype_policy, name="attention"
        )
        self.attention.build(
            sequence_shape,
            sequence_shape,
            valid_shape,
            positions_shape,
            positions_shape,
        )
        if self.residual:
            self.normalizations = [
                keras.layers.LayerNormalization(
                    epsilon=1e-5,
                    dtype=self.dtype_policy,
                    name=f"normalization_{i}",
                )
                for i in range(2)
            ]
            for layer in self.normalizations:
                layer.build(sequence_shape)
        self.built = True

    def call(
        self,
        sequence: Any,
        summary: Any,
        valid: Any,
        positions: Any,
        training: bool | None = None,
    ) -> Any:
        if self.residual:
            normed = self.normalizations[0](sequence)
            sequence = sequence + self.feed_forward(normed, summary)
            normed = self.normalizations[1](sequence)
            read = self._attend(normed, valid, positions, training)
            result = sequence + read
        else:
            changed = self.feed_forward(sequence, summary)
            result = self._attend(changed, valid, positions, training)
        return result * ops.cast(ops.expand_dims(valid, -1), result.dtype)

    def _attend(
        self, x: Any, valid: Any, positions: Any, training: bool | None
    ) -> Any:
        read = self.attention(x, x, valid, positions, positions)
        for layer in self.dropout_layers:
            read = layer(read, training=training)
        return read

    def compute_output_shape(
        self,
        sequence_shape: Any,
        summary_shape: Any,
        valid_shape: Any,
        positions_shape: Any,
    ) -> Any:
        return sequence_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            pffn=self.pffn,
            pffn_hidden_dim=self.pffn_hidden_dim,
            residual=self.residual,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config
