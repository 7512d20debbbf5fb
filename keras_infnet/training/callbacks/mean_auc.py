"""One number out of the tasks' AUC."""

import math
from typing import Any

import keras

from keras_infnet.schema import Schema

__all__ = ["MeanAUC"]


class MeanAUC(keras.callbacks.Callback):
    """Adds the mean AUC of the binary tasks to the logs of every epoch.

    `mean_auc` and, with validation data, `val_mean_auc`. Tasks whose AUC is
    undefined, because one class is absent, are left out; the mean is NaN
    where no task is left. Put it before callbacks that read the logs.

    Args:
        schema: `Schema` of the model.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema([Categorical("item")], [Task("click"), Task("buy")])
    >>> logs = {"val_click_auc": 0.7, "val_buy_auc": float("nan")}
    >>> MeanAUC(schema).on_epoch_end(0, logs)
    >>> logs["val_mean_auc"]
    0.7
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.tasks = [t.name for t in schema.tasks if t.kind == "binary"]
        # Keras drops the output's name where there is only one output.
        self.single = len(schema.tasks) == 1

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if logs is None or not self.tasks:
            return
        for prefix in ("", "val_"):
            names = [f"{prefix}{task}_auc" for task in self.tasks]
            if self.single and names[0] not in logs:
                names = [f"{prefix}auc"]
            values = [float(logs[name]) for name in names if name in logs]
            if not values:
                continue
            defined = [v for v in values if not math.isnan(v)]
            mean = sum(defined) / len(defined) if defined else math.nan
            logs[f"{prefix}mean_auc"] = mean
