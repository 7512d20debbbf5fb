"""Gates of AutoIFS that remove information flows between units."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.initializers import torch_uniform
from keras_infnet.layers.dense.mlp import MLP

__all__ = ["FLOWS", "InformationFlowGate"]

#: The flow of each gate, in the order of the last axis: from a scenario unit
#: to a task unit.
FLOWS = (
    "shared_to_shared",
    "specific_to_specific",
    "shared_to_specific",
    "specific_to_shared",
)


@export("keras_infnet.layers.InformationFlowGate")
class InformationFlowGate(BaseLayer):
    """Gates that choose which of four information flows to remove per task.

    With scores `w = MLP(x) W + b`, four per task, a gate is
    `sigmoid(temperature * w)` during the search. Once the flows are chosen
    (`hard`), it is `1` where `w > 0`, else `0`. **A gate of 1 removes the flow,
    0 keeps it.** Hard gates have no gradient.

    `temperature` is a non-trainable weight; it starts at 1 and rises during a
    search, so that the gates approach 0 and 1.

    Args:
        num_tasks: integer. Number of tasks.
        hidden_dims: sequence of integers, or `None` to replace the MLP by a
            table: then `x` is the one-hot scenario, and every scenario and
            task has four scores, which start at 0. Defaults to `None`.
        hard: boolean. Whether gates are 0 or 1. Defaults to `False`.
        penalties: sequence of floats, one per task, or `None`. Weights of the
            mean gate of a task in the loss: positive ones keep more flows.
            Ignored with `hard`. Defaults to `None`.
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
        ValueError: If a size is not a positive integer, or the number of
            penalties is not `num_tasks`.

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
        self._store(locals())
        if penalties is not None and len(penalties) != num_tasks:
            raise ValueError(
                "`penalties` must have one number per task. Received: "
                f"penalties={penalties!r} for {num_tasks} tasks."
            )
        self.scores = None
        if hidden_dims is not None:
            self.scores = MLP(
                num_tasks * len(FLOWS),
                hidden_dims,
                self.activation,
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
            # Above 256, the steps of half precision are too coarse.
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
