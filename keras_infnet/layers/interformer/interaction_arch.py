"""Interaction of the fields with a summary of the events."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interaction.feature_cross import FeatureCross
from keras_infnet.layers.interaction.interaction_ensemble import (
    InteractionEnsemble,
    pair_products,
)
from keras_infnet.utils.argument_checks import check_choice, check_positive

__all__ = ["InteractionArch"]


@export("keras_infnet.layers.InteractionArch")
class InteractionArch(BaseLayer):
    """Lets the fields interact with each other and with past behaviour.

    With the fields `X` (N tokens) and `Z = [X ; S_sum]` (P tokens):

    ```
    X' = LN(X + Interaction(Z))
    dot:    reshape(Dense(p)), p = all <z_i, z_j>, i < j
    dcnv2:  reshape(Dense(z_n)), z_{i+1} = z_0 * (U (V z_i) + b) + z_i,
            z_0 = flatten(Z)
    dhen:   keras_infnet.layers.InteractionEnsemble, P to N tokens
    ```

    Further layers of `"dhen"` come first, from P to P tokens.

    Args:
        interaction: `"dot"`, `"dcnv2"` or `"dhen"`. Defaults to `"dhen"`.
        num_layers: integer. Crosses of `"dcnv2"`, layers of `"dhen"`; 1 with
            `"dot"`. Defaults to `1`.
        cross_rank: integer. Rank of the crosses. Defaults to `32`.
        residual: boolean. `False` leaves `X` and the norm out, as the paper
            writes it. Defaults to `True`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`, the fields.
        summary: tensor of shape `(batch, summary_tokens, dim)`, `S_sum`.
            Optional.

    Returns:
        Tensor with the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer, the interaction is
            not known or has no such layers, or there are no pairs of tokens.

    Example:

    >>> import numpy as np
    >>> fields = np.ones((2, 3, 8), "float32")
    >>> summary = np.ones((2, 4, 8), "float32")
    >>> tuple(InteractionArch("dot")(fields, summary).shape)
    (2, 3, 8)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equation 7
    """

    def __init__(
        self,
        interaction: str = "dhen",
        num_layers: int = 1,
        cross_rank: int = 32,
        residual: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("interaction", interaction, ("dot", "dcnv2", "dhen"))
        check_positive(num_layers=num_layers, cross_rank=cross_rank)
        if interaction == "dot" and num_layers > 1:
            raise ValueError(
                "interaction='dot' has one layer. Received: "
                f"num_layers={num_layers}. Use 'dcnv2' or 'dhen' for more."
            )
        self.interaction = interaction
        self.num_layers = num_layers
        self.cross_rank = cross_rank
        self.residual = residual

    def build(self, tokens_shape: Any, summary_shape: Any = None) -> None:
        _, count, dim = tokens_shape
        seen = count + (0 if summary_shape is None else summary_shape[1])
        if seen < 2 and self.interaction != "dcnv2":
            raise ValueError(
                f"interaction={self.interaction!r} multiplies pairs of tokens. "
                f"Received: {seen} token. Use 'dcnv2' instead."
            )
        if self.interaction == "dhen":
            self._build_ensembles(seen, count, dim)
        else:
            self._build_plain(seen, count, dim)
        if self.residual:
            self.normalization = self._layer_norm("normalization", tokens_shape)

    def _build_ensembles(self, seen: int, count: int, dim: int) -> None:
        self.ensembles = [
            self._part(
                InteractionEnsemble,
                f"ensemble_{i}",
                (None, seen, dim),
                num_tokens=count if i == self.num_layers - 1 else seen,
                cross_rank=self.cross_rank,
            )
            for i in range(self.num_layers)
        ]

    def _build_plain(self, seen: int, count: int, dim: int) -> None:
        width = seen * (seen - 1) // 2
        if self.interaction == "dcnv2":
            width = seen * dim
            self.crosses = [
                self._part(
                    FeatureCross,
                    f"cross_{i}",
                    (None, width),
                    projection_dim=self.cross_rank,
                )
                for i in range(self.num_layers)
            ]
        self.restore = self._part(
            keras.layers.Dense, "restore", (None, width), units=count * dim
        )

    def call(self, tokens: Any, summary: Any = None) -> Any:
        seen = tokens
        if summary is not None:
            seen = ops.concatenate([tokens, summary], axis=1)
        mixed = self._interact(seen, tokens.shape[1])
        if not self.residual:
            return mixed
        return self.normalization(tokens + mixed)

    def _interact(self, seen: Any, count: int) -> Any:
        if self.interaction == "dhen":
            for ensemble in self.ensembles:
                seen = ensemble(seen)
            return seen
        _, total, dim = seen.shape
        if self.interaction == "dot":
            flat = pair_products(seen)
        else:
            first = flat = ops.reshape(seen, (-1, total * dim))
            for cross in self.crosses:
                flat = cross(first, flat)
        return ops.reshape(self.restore(flat), (-1, count, dim))

    def compute_output_shape(
        self, tokens_shape: Any, summary_shape: Any = None
    ) -> Any:
        return tokens_shape
