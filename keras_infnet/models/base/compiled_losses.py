"""The losses given to `compile`, by task."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_infnet.losses import task_losses
from keras_infnet.schema import Schema

__all__ = ["losses_by_task"]


def losses_by_task(schema: Schema, loss: Any) -> dict[str, Any]:
    """Returns the loss of every task for `compile(loss=loss)`."""
    tasks = schema.task_names
    if loss is None:
        return dict(task_losses(schema))
    if isinstance(loss, (list, tuple)) or (
        isinstance(loss, Mapping) and set(loss) != set(tasks)
    ):
        raise ValueError(
            "`loss` of a model with loss_weighting='uncertainty' must be "
            "one loss for all tasks, or a dict with every task and "
            f"nothing else: {', '.join(tasks)}. Received: loss={loss!r}."
        )
    given = loss if isinstance(loss, Mapping) else dict.fromkeys(tasks, loss)
    found = {}
    for task in tasks:
        one = keras.losses.get(given[task])
        if one is None:
            raise ValueError(
                f"task {task!r} has no loss, and loss_weighting="
                "'uncertainty' needs one for every task. Received: "
                f"loss={loss!r}."
            )
        if not isinstance(one, keras.losses.Loss):
            one = _FunctionLoss(one)
        found[task] = one
    return found


class _FunctionLoss(keras.losses.Loss):
    """Wraps a loss function; labels get the shape of the predictions."""

    def __init__(self, function: Any) -> None:
        super().__init__(name="loss_function")
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(ops.reshape(y_true, ops.shape(y_pred)), y_pred)
