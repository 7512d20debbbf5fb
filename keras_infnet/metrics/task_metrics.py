"""Metrics of the tasks of a schema."""

import keras

from keras_infnet.metrics.auc import AUC
from keras_infnet.metrics.calibration import Calibration
from keras_infnet.metrics.log_loss import LogLoss
from keras_infnet.metrics.root_mean_squared_error import RootMeanSquaredError
from keras_infnet.schema import Schema

__all__ = ["task_metrics"]


def task_metrics(schema: Schema) -> dict[str, list[keras.metrics.Metric]]:
    """Builds the metrics of every task.

    Pass them to `Model.compile(weighted_metrics=...)` instead of `metrics`, so
    that rows with weight 0, such as those without a label, are left out.

    Args:
        schema: `Schema`.

    Returns:
        Dict of task name to new metrics: `auc`, `log_loss` and `calibration`
        for binary tasks, `rmse` for regression.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema([Categorical("item_id")], [Task("click")])
    >>> [metric.name for metric in task_metrics(schema)["click"]]
    ['auc', 'log_loss', 'calibration']
    """
    return {
        task.name: (
            [AUC(), LogLoss(), Calibration()]
            if task.kind == "binary"
            else [RootMeanSquaredError()]
        )
        for task in schema.tasks
    }
