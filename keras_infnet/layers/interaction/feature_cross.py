"""Cross layer of DCNv2."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import glorot_of_each_matrix
from keras_infnet.utils.argument_checks import (
    check_number,
)

__all__ = ["FeatureCross"]


@export("keras_infnet.layers.FeatureCross")
class FeatureCross(BaseLayer):
    """Cross layer of DCNv2: full, low-rank, or a mixture of low-rank experts.

    With the input `x0` of the first cross layer and the input `x` of this one:

    ```
    full:      y = x0 * (W x + b) + x
    low rank:  y = x0 * (U (V x) + b) + x
    mixture:   y = x0 * (sum_i g_i U_i tanh(C_i tanh(V_i x)) + b) + x,
               g = softmax(G x)
    ```

    `*` is element-wise. The experts of a mixture share the bias.
    `pre_activation` is applied to the factor of `x0`, to which
    `diag_scale * x` is then added.

    The arguments that `keras_rs.layers.FeatureCross` has mean the same here.
    That layer has no mixture.

    Masking: the mask is passed on. Features, the last axis, are not masked.

    Args:
        projection_dim: integer or `None`. The rank; `None` is the full form.
            Defaults to `None`.
        num_experts: integer. More than one expert requires a rank. Defaults
            to `1`.
        diag_scale: float, at least 0. Multiple of `x` added to the factor of
            `x0`. Defaults to `0.0`.
        use_bias: boolean. Whether to add the bias `b`. Defaults to `True`.
        pre_activation: string, callable or `None`. Activation of the factor
            of `x0`. Defaults to `None`.
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
        x: tensor of the same shape. `None` means `x0`, as in the first
            layer. Defaults to `None`.

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
        self._store(locals())
        check_number("diag_scale", diag_scale)
        if projection_dim is None and num_experts > 1:
            raise ValueError(
                "`projection_dim` must be given if `num_experts` is above 1, "
                "because experts have low rank. Received: "
                f"num_experts={num_experts}, projection_dim=None."
            )
        self.supports_masking = True

    def build(self, x0_shape: Any, x_shape: Any = None) -> None:
        if x_shape is not None and x_shape[-1] != x0_shape[-1]:
            raise ValueError(
                "`x0` and `x` must have the same width. Received: x0 of shape "
                f"{tuple(x0_shape)}, x of shape {tuple(x_shape)}."
            )
        width, rank = x0_shape[-1], self.projection_dim
        if rank is None:
            self.kernel = self._cross_weight("kernel", width, width)
        else:
            self.down = self._cross_weight("down_kernel", width, rank)
            self.up = self._cross_weight("up_kernel", rank, width)
        if self.num_experts > 1:
            self.inner = self._cross_weight("inner_kernel", rank, rank)
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

    def _cross_weight(self, name: str, inputs: Any, outputs: Any) -> Any:
        """Makes a kernel, or a stack of one per expert."""
        shape: tuple[Any, ...] = (inputs, outputs)
        # A copy without the seed, so that no two kernels start equal.
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
