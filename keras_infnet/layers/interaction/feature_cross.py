"""Explicit crosses of all features, of a degree that grows by one a layer."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import glorot_of_each_matrix
from keras_infnet.utils.argument_checks import (
    check_number,
    check_positive,
    check_positive_or_none,
)

__all__ = ["FeatureCross"]


@export("keras_infnet.layers.FeatureCross")
class FeatureCross(BaseLayer):
    """One cross layer of DCNv2: full, of low rank, or a mixture of such.

    With the input of the first layer `x0` and that of this one `x`:

    ```
    full:      y = x0 * (W x + b) + x
    low rank:  y = x0 * (U (V x) + b) + x
    mixture:   y = x0 * (sum_i g_i U_i tanh(C_i tanh(V_i x)) + b) + x,
               g = softmax(G x)
    ```

    `*` is element-wise. The bias is common to the experts of a mixture. With
    `diag_scale`, that many times `x` is added to what multiplies `x0`, and
    `pre_activation` is applied before that.

    Why not `keras_rs.layers.FeatureCross`: it has no mixture, and the package
    needs Keras alone. Its arguments mean the same here.

    Masking: features are the last axis. A mask of other axes is passed on.

    Args:
        projection_dim: integer or `None`. The rank. `None` is the full form.
            Defaults to `None`.
        num_experts: integer. More than one is a mixture, which needs a rank.
            Defaults to `1`.
        diag_scale: float, at least 0. Defaults to `0.0`.
        use_bias: boolean. Whether there is a `b`. Defaults to `True`.
        pre_activation: string or callable or `None`. Defaults to `None`.
        kernel_initializer: initializer of all kernels. Defaults to
            `"glorot_uniform"`.
        bias_initializer: initializer. Defaults to `"zeros"`.
        kernel_regularizer: regularizer or `None`. Defaults to `None`.
        bias_regularizer: regularizer or `None`. Defaults to `None`.
        kernel_constraint: constraint or `None`. Defaults to `None`.
        bias_constraint: constraint or `None`. Defaults to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x0: tensor of shape `(batch, ..., features)`.
        x: tensor of the same shape. `None` is `x0`, the first layer. Defaults
            to `None`.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: If a size is not a positive integer, `diag_scale` is
            negative, a mixture has no rank, or shapes differ.

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
        diag_scale: float = 0.0,
        use_bias: bool = True,
        pre_activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_experts=num_experts)
        check_positive_or_none(projection_dim=projection_dim)
        check_number("diag_scale", diag_scale)
        if projection_dim is None and num_experts > 1:
            raise ValueError(
                "`num_experts` above 1 mixes crosses of low rank: give "
                "`projection_dim` too. Received: "
                f"num_experts={num_experts}, projection_dim=None."
            )
        self.projection_dim = projection_dim
        self.num_experts = num_experts
        self.diag_scale = diag_scale
        self.use_bias = use_bias
        self.pre_activation = keras.activations.get(pre_activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.supports_masking = True

    def build(self, x0_shape: Any, x_shape: Any = None) -> None:
        if x_shape is not None and x_shape[-1] != x0_shape[-1]:
            raise ValueError(
                "`x0` and `x` must be equally wide. Received: x0 of shape "
                f"{tuple(x0_shape)}, x of shape {tuple(x_shape)}."
            )
        width, rank = x0_shape[-1], self.projection_dim
        if rank is None:
            self.kernel = self._weight("kernel", width, width)
        else:
            self.down = self._weight("down_kernel", width, rank)
            self.up = self._weight("up_kernel", rank, width)
        if self.num_experts > 1:
            self.inner = self._weight("inner_kernel", rank, rank)
            self.gate = self.add_weight(
                name="gate_kernel",
                shape=(width, self.num_experts),
                initializer=self.kernel_initializer.clone(),
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(width,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _weight(self, name: str, inputs: Any, outputs: Any) -> Any:
        """A kernel, or one of every expert."""
        shape: tuple[Any, ...] = (inputs, outputs)
        # A copy without the seed: no two kernels start equal.
        initializer = self.kernel_initializer.clone()
        if self.num_experts > 1:
            shape = (self.num_experts, *shape)
            if isinstance(initializer, keras.initializers.GlorotUniform):
                initializer = glorot_of_each_matrix(inputs, outputs)
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def call(self, x0: Any, x: Any = None) -> Any:
        x = x0 if x is None else x
        if self.projection_dim is None:
            crossed = ops.matmul(x, self.kernel)
        elif self.num_experts == 1:
            crossed = ops.matmul(ops.matmul(x, self.down), self.up)
        else:
            inner = ops.tanh(ops.einsum("...d,ndr->...nr", x, self.down))
            inner = ops.tanh(ops.einsum("...nr,nrs->...ns", inner, self.inner))
            gates = ops.softmax(ops.matmul(x, self.gate), axis=-1)
            inner = inner * ops.expand_dims(gates, -1)
            crossed = ops.einsum("...nr,nrd->...d", inner, self.up)
        if self.bias is not None:
            crossed = crossed + self.bias
        crossed = self.pre_activation(crossed)
        if self.diag_scale:
            crossed = crossed + self.diag_scale * x
        return x0 * crossed + x

    def compute_output_shape(self, x0_shape: Any, x_shape: Any = None) -> Any:
        return x0_shape
