"""Explicit crosses of all features, of a degree that grows by one a layer."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["FeatureCross"]


@export("keras_infnet.layers.FeatureCross")
class FeatureCross(keras.layers.Layer):
    """One cross layer of DCNv2: full, of low rank, or a mixture of such.

    With the input of the first layer `x0` and that of this one `x`:

    ```
    full:      y = x0 * (W x + b) + x
    low rank:  y = x0 * (U (V x) + b) + x
    mixture:   y = x0 * (sum_i g_i U_i tanh(C_i tanh(V_i x)) + b) + x,
               g = softmax(G x)
    ```

    `*` is element-wise. The bias is common to the experts of a mixture.

    Args:
        projection_dim: integer or `None`. The rank. `None` is the full form.
            Defaults to `None`.
        num_experts: integer. More than one is a mixture, which needs a rank.
            Defaults to `1`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x0: tensor of shape `(batch, features)`.
        x: tensor of the same shape.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: If a size is not a positive integer, or a mixture has no
            rank.

    Example:

    >>> import numpy as np
    >>> x = np.ones((2, 6), "float32")
    >>> tuple(FeatureCross(projection_dim=2)(x, x).shape)
    (2, 6)

    Reference:
    - [DCN V2](https://arxiv.org/abs/2008.13535), sections 3.2 and 3.3
    """

    def __init__(
        self,
        projection_dim: int | None = None,
        num_experts: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_experts=num_experts)
        if projection_dim is not None:
            check_positive(projection_dim=projection_dim)
        elif num_experts > 1:
            raise ValueError(
                "`num_experts` above 1 mixes crosses of low rank: give "
                "`projection_dim` too. Received: "
                f"num_experts={num_experts}, projection_dim=None."
            )
        self.projection_dim = projection_dim
        self.num_experts = num_experts

    def build(self, x0_shape: Any, x_shape: Any) -> None:
        width, rank, count = x_shape[-1], self.projection_dim, self.num_experts
        if rank is None:
            self.kernel = self._weight("kernel", width, width)
        else:
            self.down = self._weight("down_kernel", width, rank)
            self.up = self._weight("up_kernel", rank, width)
        if count > 1:
            self.inner = self._weight("inner_kernel", rank, rank)
            self.gate = self.add_weight(
                name="gate_kernel",
                shape=(width, count),
                initializer="glorot_uniform",
            )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer="zeros"
        )
        self.built = True

    def _weight(self, name: str, inputs: Any, outputs: Any) -> Any:
        """A kernel, or one of every expert, each drawn as a kernel alone."""
        count = self.num_experts
        limit = (6.0 / (inputs + outputs)) ** 0.5
        return self.add_weight(
            name=name,
            shape=(inputs, outputs) if count == 1 else (count, inputs, outputs),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )

    def call(self, x0: Any, x: Any) -> Any:
        if self.projection_dim is None:
            crossed = ops.matmul(x, self.kernel)
        elif self.num_experts == 1:
            crossed = ops.matmul(ops.matmul(x, self.down), self.up)
        else:
            inner = ops.tanh(ops.einsum("bd,ndr->bnr", x, self.down))
            inner = ops.tanh(ops.einsum("bnr,nrs->bns", inner, self.inner))
            gates = ops.softmax(ops.matmul(x, self.gate), axis=-1)
            inner = inner * ops.expand_dims(gates, -1)
            crossed = ops.einsum("bnr,nrd->bd", inner, self.up)
        return x0 * (crossed + self.bias) + x

    def compute_output_shape(self, x0_shape: Any, x_shape: Any) -> Any:
        return x_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            projection_dim=self.projection_dim, num_experts=self.num_experts
        )
        return config
