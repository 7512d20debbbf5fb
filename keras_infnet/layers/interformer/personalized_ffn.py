"""Feed-forward network with weights computed from the row."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import (
    check_choice,
)

__all__ = ["PersonalizedFFN"]


@export("keras_infnet.layers.PersonalizedFFN")
class PersonalizedFFN(BaseLayer):
    """Feed-forward network with weights computed from a summary of the row.

    With the sequence `S`, tokens of width `d`, and the summary `X_sum`:

    ```
    lowrank:   (S W^T) X_sum
    hyper:     S W_x,  W_x = MLP(flatten(X_sum)) / sqrt(d)
    twolayer:  RMSNorm(RMSNorm(GELU(S W_1 + b_1)) W_2 + b_2),
               W_1 = MLP_1(flatten(X_sum)) / sqrt(d),
               W_2 = MLP_2(flatten(X_sum)) / sqrt(q)
    ```

    `W` has one row per token of the summary. `W_x` has shape `(d, d)`, `W_1`
    `(d, q)` and `W_2` `(q, d)`, each computed for every row of the batch. The
    MLPs have one hidden layer of width `2 d`.

    Masking: tokens of the sequence do not interact. Their mask is passed on.

    Args:
        mode: `"lowrank"`, `"hyper"` or `"twolayer"`. Defaults to `"hyper"`.
        hidden_dim: integer or `None`. The width `q` of `"twolayer"`; `None`
            is the width of a token. Defaults to `None`.
        activation: string or callable. Activation of the MLPs that compute
            the weights. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence: tensor of shape `(batch, tokens, dim)`.
        summary: tensor of shape `(batch, summary_tokens, dim)`.

    Returns:
        Tensor with the shape of `sequence`.

    Raises:
        ValueError: If the mode is unknown, or `hidden_dim` is not a positive
            integer or unused.

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
        self._store(locals())
        check_choice("mode", mode, ("lowrank", "hyper", "twolayer"))
        if hidden_dim is not None and mode != "twolayer":
            raise ValueError(
                "`hidden_dim` must be None unless mode='twolayer'. "
                f"Received: mode={mode!r}, hidden_dim={hidden_dim}."
            )
        self.supports_masking = True

    def build(self, sequence_shape: Any, summary_shape: Any) -> None:
        dim, count = sequence_shape[-1], summary_shape[1]
        if self.mode == "lowrank":
            self.kernel = self._weight("kernel", count, dim)
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
        """Makes the MLP that computes the weights of a row."""
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
            # Two thin products, instead of one matrix per row.
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
