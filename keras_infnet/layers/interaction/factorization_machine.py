"""Factorization machines of several tasks with shared embeddings."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import zero_padding

__all__ = ["FactorizationMachine"]


@export("keras_infnet.layers.FactorizationMachine")
class FactorizationMachine(BaseLayer):
    """Logits of factorization machines, one per task.

    `logit_m = w_m + sum_f linear_{f,m} + sum_j p_{m,j} v_j`, where `v` is the
    sum of the products of all pairs (see `PairwiseInteraction`). The weights
    `p_m` start at one; with a single task they are fixed to one, as in the
    paper.

    Args:
        num_tasks: integer. Number of tasks. Defaults to `1`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        interaction: tensor of shape `(batch, dim)`, `v` in the formula.
        linear: tensor of shape `(batch, fields, num_tasks)`.
        linear_mask: boolean tensor of shape `(batch, fields)`. Masked fields
            are left out. Optional.

    Returns:
        Tensor of shape `(batch, num_tasks)`.

    Raises:
        ValueError: If `num_tasks` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> layer = FactorizationMachine()
    >>> logits = layer(np.array([[1.0, 2.0]]), np.array([[[0.5], [0.25]]]))
    >>> float(ops.convert_to_numpy(logits)[0, 0])
    3.75

    Reference:
    - Rendle, Factorization Machines, ICDM 2010, equation 1
    """

    def __init__(self, num_tasks: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, interaction_shape: Any, linear_shape: Any) -> None:
        self.bias = self._zeros("bias", self.num_tasks)
        if self.num_tasks > 1:
            width = interaction_shape[-1]
            self.kernel = self._weight(
                "kernel", width, self.num_tasks, initializer="ones"
            )

    def call(
        self, interaction: Any, linear: Any, linear_mask: Any = None
    ) -> Any:
        linear = zero_padding(linear, linear_mask)
        if self.num_tasks > 1:
            second = ops.matmul(interaction, self.kernel)
        else:
            second = ops.sum(interaction, axis=-1, keepdims=True)
        return ops.sum(linear, axis=1) + second + self.bias

    def compute_output_shape(
        self, interaction_shape: Any, linear_shape: Any
    ) -> Any:
        return (interaction_shape[0], self.num_tasks)
