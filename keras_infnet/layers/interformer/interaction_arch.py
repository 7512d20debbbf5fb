"""Interaction arch of InterFormer."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interaction.feature_cross import FeatureCross
from keras_infnet.layers.interaction.interaction_ensemble import (
    InteractionEnsemble,
    pair_products,
)
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["InteractionArch"]


@export("keras_infnet.layers.InteractionArch")
class InteractionArch(BaseLayer):
    """Interaction of the fields with each other and a summary of the events.

    With the fields `X` (N tokens) and `Z = [X ; S_sum]` (P tokens):

    ```
    X' = LN(X + Interaction(Z))
    dot:    reshape(Dense(p)), p = all <z_i, z_j>, i < j
    dcnv2:  reshape(Dense(z_n)), z_{i+1} = z_0 * (U (V z_i) + b) + z_i,
            z_0 = flatten(Z)
    dhen:   keras_infnet.layers.InteractionEnsemble, P to N tokens
    ```

    With more layers of `"dhen"`, all but the last map P to P tokens.

    Args:
        interaction: `"dot"`, `"dcnv2"` or `"dhen"`. Defaults to `"dhen"`.
        num_layers: integer. Number of crosses of `"dcnv2"` or layers of
            `"dhen"`; 1 with `"dot"`. Defaults to `1`.
        cross_rank: integer. Rank of the crosses. Defaults to `32`.
        residual: boolean. Whether to add `X` and normalize, which the paper
            does not mention. Defaults to `True`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`, the fields.
        summary: tensor of shape `(batch, summary_tokens, dim)`, `S_sum`.
            Optional.

    Returns:
        Tensor with the shape of `tokens`.

    Raises:
        ValueError: If a size is not a positive integer, the interaction is
            unknown or has only one layer, or there are no pairs of tokens.

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
        self._store(locals())
        check_choice("interaction", interaction, ("dot", "dcnv2", "dhen"))
        if interaction == "dot" and num_layers > 1:
            raise ValueError(
                "`num_layers` must be 1 with interaction='dot'. Received: "
                f"num_layers={num_layers}. Use 'dcnv2' or 'dhen' for more."
            )

    def build(self, tokens_shape: Any, summary_shape: Any = None) -> None:
        _, count, dim = tokens_shape
        total = count + (0 if summary_shape is None else summary_shape[1])
        if total < 2 and self.interaction != "dcnv2":
            raise ValueError(
                f"interaction={self.interaction!r} multiplies pairs of tokens. "
                f"Received: {total} token. Use 'dcnv2' instead."
            )
        if self.interaction == "dhen":
            self.ensembles = [
                self._part(
                    InteractionEnsemble,
                    f"ensemble_{i}",
                    (None, total, dim),
                    num_tokens=count if i == self.num_layers - 1 else total,
                    cross_rank=self.cross_rank,
                )
                for i in range(self.num_layers)
            ]
        else:
            width = total * (total - 1) // 2
            if self.interaction == "dcnv2":
                width = total * dim
                self.crosses = [
                    self._part(
                        FeatureCross,
                        f"cross_{i}",
                        (None, width),
                        projection_dim=self.cross_rank,
                    )
                    for i in range(self.num_layers)
                ]
            self.restore = self._dense("restore", (None, width), count * dim)
        if self.residual:
            self.normalization = self._layer_norm("normalization", tokens_shape)

    def call(self, tokens: Any, summary: Any = None) -> Any:
        inputs = tokens
        if summary is not None:
            inputs = ops.concatenate([tokens, summary], axis=1)
        mixed = self._interact(inputs, tokens.shape[1])
        if not self.residual:
            return mixed
        return self.normalization(tokens + mixed)

    def _interact(self, tokens: Any, count: int) -> Any:
        if self.interaction == "dhen":
            for ensemble in self.ensembles:
                tokens = ensemble(tokens)
            return tokens
        _, total, dim = tokens.shape
        if self.interaction == "dot":
            flat = pair_products(tokens)
        else:
            first = flat = ops.reshape(tokens, (-1, total * dim))
            for cross in self.crosses:
                flat = cross(first, flat)
        return ops.reshape(self.restore(flat), (-1, count, dim))
