"""A dense layer that all groups share, with low-rank parts of their own."""

import math
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["DecoupledDense"]


@export("keras_infnet.layers.DecoupledDense")
class DecoupledDense(BaseLayer):
    """Maps a vector by shared weights and, apart, by those of its group.

    `shared = x W + b` and `specific_g = (x A_g) B_g + b_g` for every group
    `g`, a scenario or a task. `A_g` and `B_g` meet in `rank` numbers, so a
    group costs little. All `B_g` start at zero: at first, all groups are
    alike.

    Args:
        units: integer. Width of the output.
        num_groups: integer.
        rank: integer. Rank of the parts of the groups. Defaults to `2`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, ..., features)`.
        chosen: tensor of shape `(batch, ..., num_groups)`, 1 at the group of
            the row and 0 elsewhere; all 0 where it has none. `None` computes
            all groups. Defaults to `None`.

    Returns:
        Two tensors: the shared part, of shape `(batch, ..., units)`, and the
        specific part, of the same shape with `chosen` and of shape
        `(batch, ..., num_groups, units)` without. A row without a group has
        zeros there.

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
        check_positive(units=units, num_groups=num_groups, rank=rank)
        self.units = units
        self.num_groups = num_groups
        self.rank = rank
        self.supports_masking = True

    def build(self, x_shape: Any, chosen_shape: Any = None) -> None:
        width = x_shape[-1]
        # What Glorot's rule says of the matrix of one group: of a tensor with
        # three axes it would take the first for the size of a window. As in
        # Keras, what is cut off at two deviations is made up for.
        deviation = math.sqrt(2.0 / (width + self.rank)) / 0.8796256610342398
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, self.units),
            initializer="glorot_normal",
        )
        self.bias = self._zeros("bias", self.units)
        self.down_kernels = self.add_weight(
            name="down_kernels",
            shape=(self.num_groups, width, self.rank),
            initializer=keras.initializers.TruncatedNormal(stddev=deviation),
        )
        self.up_kernels = self.add_weight(
            name="up_kernels",
            shape=(self.num_groups, self.rank, self.units),
            initializer="zeros",
        )
        self.group_biases = self._zeros(
            "group_biases", self.num_groups, self.units
        )

    def call(self, x: Any, chosen: Any = None) -> tuple[Any, Any]:
        shared = ops.matmul(x, self.kernel) + self.bias
        low = ops.einsum("...i,kir->...kr", x, self.down_kernels)
        if chosen is None:
            specific = ops.einsum("...kr,kro->...ko", low, self.up_kernels)
            return shared, specific + self.group_biases
        # Kernels gathered by the row would take a matrix a row.
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
