"""Gates that remove flows of information."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import torch_uniform
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["FLOWS", "InformationFlowGate"]

#: What a gate belongs to, in the order of the last axis: scenario unit to
#: task unit.
FLOWS = (
    "shared_to_shared",
    "specific_to_specific",
    "shared_to_specific",
    "specific_to_shared",
)


@export("keras_infnet.layers.InformationFlowGate")
class InformationFlowGate(BaseLayer):
    """Decides for every task which of four flows of information to remove.

    With scores `w = MLP(x) W + b`, four a task, a gate is
    `sigmoid(temperature * w)` while flows are searched and `1` where `w > 0`,
    else `0`, once they are chosen (`hard`). **A gate of 1 removes the flow, 0
    keeps it.** Hard gates have no gradient.

    `temperature` is a weight that is not trained; it starts at 1 and rises
    during a search, so that the gates come close to 0 and 1.

    Args:
        num_tasks: integer.
        hidden_dims: sequence of integers, or `None` for no network: then `x`
            is an indicator of the scenario, and every scenario and task has
            four scores, which start at 0. Defaults to `None`.
        hard: boolean. Whether gates are 0 or 1. Defaults to `False`.
        penalties: sequence of floats, one a task, or `None`. Weights of the
            mean gate of a task in the loss: positive ones keep more flows.
            Not with `hard`. Defaults to `None`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, features)`, or of shape `(batch,
            scenarios)` without `hidden_dims`.

    Returns:
        Float32 tensor of shape `(batch, num_tasks, 4)`: the gates of the
        flows from the shared scenario unit to the shared task unit, from the
        row's scenario to the task, from the shared unit to the task, and from
        the row's scenario to the shared unit.

    Raises:
        ValueError: If a size is not a positive integer, or there is not one
            penalty a task.

    Example:

    >>> import numpy as np
    >>> gate = InformationFlowGate(2, hidden_dims=(8,))
    >>> tuple(gate(np.ones((3, 5), "float32")).shape)
    (3, 2, 4)

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    def __init__(
        self,
        num_tasks: int,
        hidden_dims: Sequence[int] | None = None,
        hard: bool = False,
        penalties: Sequence[float] | None = None,
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_tasks=num_tasks)
        if penalties is not None and len(penalties) != num_tasks:
            raise ValueError(
                "`penalties` must have one number a task. Received: "
                f"penalties={penalties!r} for {num_tasks} tasks."
            )
        self.num_tasks = num_tasks
        self.hidden_dims = None if hidden_dims is None else tuple(hidden_dims)
        self.hard = hard
        self.penalties = None if penalties is None else tuple(penalties)
        self.activation = keras.activations.get(activation)
        self.scores = None
        if self.hidden_dims is not None:
            self.scores = MLP(
                num_tasks * len(FLOWS),
                hidden_dims=self.hidden_dims,
                activation=self.activation,
                kernel_initializer=torch_uniform(),
                dtype=self.dtype_policy,
                name="scores",
            )

    def build(self, x_shape: Any) -> None:
        if self.scores is not None:
            self.scores.build(x_shape)
        else:
            self.table = self._zeros(
                "table", x_shape[-1], self.num_tasks * len(FLOWS)
            )
        self.temperature = self.add_weight(
            name="temperature",
            shape=(),
            initializer="ones",
            trainable=False,
            # Beyond 256, half precision has steps that are too coarse.
            autocast=False,
        )

    def call(self, x: Any) -> Any:
        if self.scores is None:
            scores = ops.matmul(x, self.table)
        else:
            scores = self.scores(x)
        scores = ops.cast(scores, "float32")
        scores = ops.reshape(scores, (-1, self.num_tasks, len(FLOWS)))
        if self.hard:
            return ops.cast(scores > 0, "float32")
        gates = ops.sigmoid(self.temperature * scores)
        if self.penalties is not None and any(self.penalties):
            weights = ops.convert_to_tensor(self.penalties, "float32")
            means = ops.mean(gates, axis=(0, 2))
            self.add_loss(ops.sum(weights * means))
        return gates

    def compute_output_shape(self, x_shape: Any) -> Any:
        return (x_shape[0], self.num_tasks, len(FLOWS))

    def compute_output_spec(self, x: Any) -> Any:
        shape = self.compute_output_shape(x.shape)
        return keras.KerasTensor(shape, dtype="float32")
