"""Dense layer with shared weights and low-rank weights per group."""

import math
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["DecoupledDense"]


@export("keras_infnet.layers.DecoupledDense")
class DecoupledDense(BaseLayer):
    """Dense layer with two outputs: shared, and low-rank per group.

    `shared = x W + b` and `specific_g = (x A_g) B_g + b_g` for every group
    `g`, a scenario or a task. `A_g` has `rank` columns and `B_g` as many rows,
    so that each group adds few weights. All `B_g` start at zero, so that all
    groups start equal.

    Args:
        units: integer. Width of the output.
        num_groups: integer. Number of groups.
        rank: integer. Rank of the weights of a group. Defaults to `2`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, ..., features)`.
        chosen: tensor of shape `(batch, ..., num_groups)`, the one-hot group
            of each row; all 0 for a row without a group. `None` computes all
            groups. Defaults to `None`.

    Returns:
        Two tensors: the shared output, of shape `(batch, ..., units)`, and
        the specific output, of the same shape with `chosen` and of shape
        `(batch, ..., num_groups, units)` without. The specific output of a
        row without a group is zero.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> layer = DecoupledDense(3, num_groups=4)
    >>> shared, specific = layer(np.ones((2, 5), "float32"))
    >>> tuple(shared.shape), tuple(specific.shape)
    ((2, 3), (2, 4, 3))

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    def __init__(
        self, units: int, num_groups: int, rank: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        self.supports_masking = True

    def build(self, x_shape: Any, chosen_shape: Any = None) -> None:
        width = x_shape[-1]
        count, rank, units = self.num_groups, self.rank, self.units
        self.kernel = self._weight(
            "kernel", width, units, initializer="glorot_normal"
        )
        self.bias = self._zeros("bias", units)
        # Glorot's rule for the matrix of one group: Keras would take the first
        # of three axes for the size of a convolution window. As in Keras, the
        # divisor corrects for the truncation at two standard deviations.
        deviation = math.sqrt(2.0 / (width + rank)) / 0.8796256610342398
        truncated = keras.initializers.TruncatedNormal(stddev=deviation)
        self.down_kernels = self._weight(
            "down_kernels", count, width, rank, initializer=truncated
        )
        self.up_kernels = self._zeros("up_kernels", count, rank, units)
        self.group_biases = self._zeros("group_biases", count, units)

    def call(self, x: Any, chosen: Any = None) -> tuple[Any, Any]:
        shared = ops.matmul(x, self.kernel) + self.bias
        low = ops.einsum("...i,kir->...kr", x, self.down_kernels)
        if chosen is None:
            specific = ops.einsum("...kr,kro->...ko", low, self.up_kernels)
            return shared, specific + self.group_biases
        # Gathering the kernels would take memory for one matrix per row.
        chosen = ops.cast(chosen, low.dtype)
        low = low * ops.expand_dims(chosen, -1)
        specific = ops.einsum("...kr,kro->...o", low, self.up_kernels)
        return shared, specific + ops.matmul(chosen, self.group_biases)

    def compute_output_shape(
        self, x_shape: Any, chosen_shape: Any = None
    ) -> Any:
        shared = (*x_shape[:-1], self.units)
        if chosen_shape is not None:
            return shared, shared
        return shared, (*x_shape[:-1], self.num_groups, self.units)

    def compute_mask(self, x: Any, previous_mask: Any) -> Any:
        return previous_mask, previous_mask
