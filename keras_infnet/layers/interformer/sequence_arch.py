"""Sequence arch of InterFormer."""

from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers.attention.rotary_attention import RotaryAttention
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import seeded_dropouts
from keras_infnet.layers.interformer.personalized_ffn import PersonalizedFFN
from keras_infnet.layers.masking import event_mask, zero_padding
from keras_infnet.layers.sequence.positions import count_back
from keras_infnet.utils.argument_checks import (
    check_choice,
)

__all__ = ["SequenceArch"]


@export("keras_infnet.layers.SequenceArch")
class SequenceArch(BaseLayer):
    """Personalized feed-forward network, then self-attention.

    With the sequence `S` and the summary `X_sum` of the fields:

    ```
    residual:  S_1 = S + PFFN(X_sum, LN(S)),  S' = S_1 + MHA(LN(S_1))
    literal:   S' = MHA(PFFN(X_sum, S))
    ```

    `MHA` has rotary positions (`keras_infnet.layers.RotaryAttention`), `PFFN`
    is `keras_infnet.layers.PersonalizedFFN`.

    Masking: padding is not attended to, and is zero in the output. The mask
    is passed on.

    Args:
        num_heads: integer. Must divide the width of a token; heads must be of
            even width. Defaults to `4`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`. Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`; `None`
            is the width of a token. Defaults to `None`.
        residual: boolean. Whether to use the residual instead of the literal
            form. Defaults to `True`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate after the attention. Defaults to
            `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence: tensor of shape `(batch, tokens, dim)`.
        summary: tensor of shape `(batch, summary_tokens, dim)`.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        positions: integer tensor of shape `(batch, tokens)`. `None` counts
            the valid tokens back from the last, which has position 1. Defaults
            to `None`.
        training: boolean. Whether dropout is active.

    Returns:
        Tensor with the shape of `sequence`.

    Raises:
        ValueError: If a size is not a positive integer or does not fit, or
            `pffn` is unknown.

    Example:

    >>> import numpy as np
    >>> sequence = np.ones((2, 5, 8), "float32")
    >>> summary = np.ones((2, 3, 8), "float32")
    >>> tuple(SequenceArch(num_heads=2)(sequence, summary).shape)
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
        self._store(locals())
        check_choice("pffn", pffn, ("lowrank", "hyper", "twolayer"))
        self.supports_masking = True
        self.feed_forward = PersonalizedFFN(
            pffn,
            pffn_hidden_dim,
            self.activation,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.dropout_layers = seeded_dropouts(1, dropout, self.dtype_policy)

    def build(self, sequence_shape: Any, summary_shape: Any) -> None:
        self.feed_forward.build(sequence_shape, summary_shape)
        positions = sequence_shape[:2]
        self.attention = self._part(
            RotaryAttention,
            "attention",
            sequence_shape,
            sequence_shape,
            positions,
            positions,
            num_heads=self.num_heads,
        )
        if self.residual:
            self.normalizations = [
                self._layer_norm(f"normalization_{i}", sequence_shape)
                for i in range(2)
            ]

    def call(
        self,
        sequence: Any,
        summary: Any,
        sequence_mask: Any = None,
        positions: Any = None,
        training: bool | None = None,
    ) -> Any:
        mask = sequence_mask
        if positions is None:
            positions = count_back(event_mask(sequence, mask))
        if self.residual:
            normed = self.normalizations[0](sequence)
            sequence = sequence + self.feed_forward(normed, summary)
            normed = self.normalizations[1](sequence)
            result = sequence + self._attend(normed, mask, positions, training)
        else:
            changed = self.feed_forward(sequence, summary)
            result = self._attend(changed, mask, positions, training)
        return zero_padding(result, mask)

    def _attend(
        self, x: Any, mask: Any, positions: Any, training: bool | None
    ) -> Any:
        read = self.attention(
            x,
            x,
            source_mask=mask,
            query_positions=positions,
            positions=positions,
        )
        for layer in self.dropout_layers:
            read = layer(read, training=training)
        return read
