"""A feed-forward network whose weights depend on the row."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import (
    check_choice,
    check_positive_or_none,
)

__all__ = ["PersonalizedFFN"]


@export("keras_infnet.layers.PersonalizedFFN")
class PersonalizedFFN(BaseLayer):
    """Transforms a sequence by weights computed from a summary of its row.

    With the sequence `S`, tokens of width `d`, and the summary `X_sum`:

    ```
    lowrank:   (S W^T) X_sum
    hyper:     S W_x,  W_x = MLP(flatten(X_sum)) / sqrt(d)
    twolayer:  RMSNorm(RMSNorm(GELU(S W_1 + b_1)) W_2 + b_2),
               W_1 = MLP_1(flatten(X_sum)) / sqrt(d),
               W_2 = MLP_2(flatten(X_sum)) / sqrt(q)
    ```

    `W` holds a row a token of the summary; `W_x` is `(d, d)`, `W_1` is
    `(d, q)` and `W_2` is `(q, d)`, one a row of the batch. The MLPs have one
    hidden layer of width `2 d`.

    Masking: tokens of the sequence do not see each other. Their mask is passed
    on.

    Args:
        mode: `"lowrank"`, `"hyper"` or `"twolayer"`. Defaults to `"hyper"`.
        hidden_dim: integer or `None`. The width `q` of `"twolayer"`; `None`
            is that of a token. Defaults to `None`.
        activation: string or callable. Activation of the MLPs that make the
            weights. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence: tensor of shape `(batch, tokens, dim)`.
        summary: tensor of shape `(batch, summary_tokens, dim)`.

    Returns:
        Tensor with the shape of `sequence`.

    Raises:
        ValueError: If the mode is not known, or `hidden_dim` is not a
            positive integer or of no use.

    Example:

    >>> import numpy as np
    >>> sequence = np.ones((2, 5, 8), "float32")
    >>> summary = np.ones((2, 3, 8), "float32")
    >>> tuple(PersonalizedFFN("lowrank")(sequence, summary).shape)
    (2, 5, 8)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equation 8 and appendix
      A.2.2; [KernelEvolve](https://arxiv.org/abs/2512.23236), section 5.3.2,
      for `"twolayer"`
    """

    def __init__(
        self,
        mode: str = "hyper",
        hidden_dim: int | None = None,
        activation: Any = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("mode", mode, ("lowrank", "hyper", "twolayer"))
        check_positive_or_none(hidden_dim=hidden_dim)
        if hidden_dim is not None and mode != "twolayer":
            raise ValueError(
                "`hidden_dim` is the inner width of mode 'twolayer'. "
                f"Received: mode={mode!r}, hidden_dim={hidden_dim}."
            )
        self.mode = mode
        self.supports_masking = True
        self.hidden_dim = hidden_dim
        self.activation = keras.activations.get(activation)

    def build(self, sequence_shape: Any, summary_shape: Any) -> None:
        dim, count = sequence_shape[-1], summary_shape[1]
        if self.mode == "lowrank":
            self.kernel = self._kernel("kernel", count, dim)
        elif self.mode == "hyper":
            self.maker = self._maker("maker", count * dim, dim, dim * dim)
        else:
            width = self.hidden_dim or dim
            self.makers, self.biases, self.normalizations = [], [], []
            for i, outputs in enumerate((width, dim)):
                self.makers.append(
                    self._maker(f"maker_{i}", count * dim, dim, dim * width)
                )
                self.biases.append(self._zeros(f"bias_{i}", outputs))
                norm = self._rms_norm(
                    f"normalization_{i}", (None, None, outputs)
                )
                self.normalizations.append(norm)

    def _maker(self, name: str, inputs: int, dim: int, outputs: int) -> MLP:
        """What makes the weights of a row."""
        return self._part(
            MLP,
            name,
            (None, inputs),
            units=outputs,
            hidden_dims=(2 * dim,),
            activation=self.activation,
        )

    def call(self, sequence: Any, summary: Any) -> Any:
        _, count, dim = summary.shape
        if self.mode == "lowrank":
            # No matrix a row: two thin products instead.
            scores = ops.matmul(sequence, ops.transpose(self.kernel))
            return ops.matmul(scores, summary)
        flat = ops.reshape(summary, (-1, count * dim))
        if self.mode == "hyper":
            kernel = ops.reshape(self.maker(flat), (-1, dim, dim))
            return ops.matmul(sequence, kernel * dim**-0.5)
        for i in range(2):
            shape = (dim, self.hidden_dim or dim)[:: 1 if i == 0 else -1]
            kernel = ops.reshape(self.makers[i](flat), (-1, *shape))
            kernel = kernel * shape[0] ** -0.5
            sequence = ops.matmul(sequence, kernel) + self.biases[i]
            if i == 0:
                sequence = ops.gelu(sequence, approximate=False)
            sequence = self.normalizations[i](sequence)
        return sequence

    def compute_output_shape(
        self, sequence_shape: Any, summary_shape: Any
    ) -> Any:
        return sequence_shape
