"""Output head of one task."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["TaskTower"]


@export("keras_infnet.layers.TaskTower")
class TaskTower(BaseLayer):
    """Predicts one task from one vector.

    `y = sigmoid(MLP(x) + offset)` for a binary task and
    `y = MLP(x) + offset` for regression. The output is float32 under every
    dtype policy, because losses need the precision.

    Args:
        hidden_dims: sequence of integers, or `None`. Widths of the hidden
            layers. `None` omits the MLP, so that `x` is the logit.
            Defaults to `(128, 64)`.
        kind: `"binary"` or `"regression"`. Defaults to `"binary"`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, features)`.
        offset: tensor of shape `(batch, 1)`, added to the logit. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        float32 tensor of shape `(batch, 1)`.

    Raises:
        ValueError: If `kind` is unknown.

    Example:

    >>> import numpy as np
    >>> tuple(TaskTower((8,))(np.ones((2, 5), "float32")).shape)
    (2, 1)
    """

    def __init__(
        self,
        hidden_dims: Sequence[int] | None = (128, 64),
        kind: str = "binary",
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("kind", kind, ("binary", "regression"))
        self.mlp = None
        if hidden_dims is not None:
            self.mlp = MLP(
                1,
                hidden_dims,
                self.activation,
                dropout,
                dtype=self.dtype_policy,
                name="mlp",
            )

    def build(self, x_shape: Any, offset_shape: Any = None) -> None:
        if self.mlp is not None:
            self.mlp.build(x_shape)

    def call(
        self, x: Any, offset: Any = None, training: bool | None = None
    ) -> Any:
        y = x if self.mlp is None else self.mlp(x, training=training)
        y = ops.cast(y, "float32")
        if offset is not None:
            y = y + ops.cast(offset, "float32")
        return ops.sigmoid(y) if self.kind == "binary" else y

    def compute_output_spec(
        self, x: Any, offset: Any = None, training: bool | None = None
    ) -> Any:
        return keras.KerasTensor((x.shape[0], 1), dtype="float32")
