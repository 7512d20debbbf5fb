"""Losses and loss weights of the tasks of a schema."""

import keras

from keras_infnet.losses.masked_binary_crossentropy import (
    MaskedBinaryCrossentropy,
)
from keras_infnet.losses.masked_mean_squared_error import (
    MaskedMeanSquaredError,
)
from keras_infnet.schema import Schema

__all__ = ["task_loss_weights", "task_losses"]


def task_losses(schema: Schema) -> dict[str, keras.losses.Loss]:
    """Builds one masked loss per task, for `Model.compile(loss=...)`.

    Args:
        schema: `Schema`.

    Returns:
        Dict of task name to loss: `MaskedBinaryCrossentropy` for binary
        tasks, `MaskedMeanSquaredError` for regression.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     [Categorical("item_id")],
    ...     [Task("click"), Task("seconds", kind="regression")],
    ... )
    >>> [type(loss).__name__ for loss in task_losses(schema).values()]
    ['MaskedBinaryCrossentropy', 'MaskedMeanSquaredError']
    """
    return {
        task.name: (
            MaskedBinaryCrossentropy()
            if task.kind == "binary"
            else MaskedMeanSquaredError()
        )
        for task in schema.tasks
    }


def task_loss_weights(schema: Schema) -> dict[str, float]:
    """Returns the loss weight of every task.

    Args:
        schema: `Schema`.

    Returns:
        Dict of task name to `Task.weight`, for
        `Model.compile(loss_weights=...)`.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema([Categorical("item_id")], [Task("click", weight=2)])
    >>> task_loss_weights(schema)
    {'click': 2.0}
    """
    return {task.name: task.weight for task in schema.tasks}
