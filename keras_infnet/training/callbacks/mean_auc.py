"""The mean AUC of an epoch, over tasks or over scenarios and tasks."""

import logging
import math
from typing import Any

import keras
import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.training.callbacks import Logs
from keras_infnet.training.prediction import predict_rows

__all__ = ["MeanAUC", "ScenarioTaskAUC"]

_LOG = logging.getLogger("keras_infnet")


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

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
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


class ScenarioTaskAUC(keras.callbacks.Callback):
    """Adds the mean validation AUC over all scenarios and tasks to the logs.

    A large scenario then counts as much as a small one. The exact AUC of
    every pair of a scenario and a binary task is taken from the rows that
    have its label; pairs with one class are left out, and their number is
    logged once. Rows of missing or unknown scenarios are one scenario more.
    The mean is `val_mean_auc`, in place of the one that `MeanAUC` writes: put
    this behind `MeanAUC` and before all callbacks that read the logs or
    exchange weights.

    Args:
        batches: `keras_infnet.data.Batches` of the validation rows, not
            shuffled.

    Raises:
        ValueError: If the schema of the batches names no scenario, or they
            are shuffled.

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        schema = batches.schema
        if schema.scenario is None:
            raise ValueError(
                "the schema names no scenario. Give "
                "`Schema(scenario=...)` the name of a Categorical, or use "
                "MeanAUC."
            )
        if batches.shuffle:
            raise ValueError(
                "labels and predictions are compared in the order of rows: "
                "make the batches with shuffle=False."
            )
        self.batches = batches
        self.tasks = [t.name for t in schema.tasks if t.kind == "binary"]
        #: AUC by scenario's id and task, of the last validation.
        self.values: dict[tuple[int, str], float] = {}
        self._told = False
        self._validated = False

    def on_test_end(self, logs: Logs = None) -> None:
        # Here, since scikit-learn takes a second to import.
        from sklearn.metrics import roc_auc_score

        # Now: averages may be in place of the weights during a validation.
        predictions = predict_rows(self.model, self.batches)
        name = self.batches.schema.scenario
        scenarios = np.concatenate(
            [
                np.asarray(self.batches[i][0][name])
                for i in range(len(self.batches))
            ]
        )
        labels, weights = self.batches.labels(), self.batches.weights()
        self.values, skipped = {}, 0
        for scenario in np.unique(scenarios):
            for task in self.tasks:
                rows = (scenarios == scenario) & (weights[task] > 0)
                if len(np.unique(labels[task][rows])) < 2:
                    skipped += 1
                    continue
                self.values[int(scenario), task] = float(
                    roc_auc_score(
                        labels[task][rows],
                        predictions[task][rows, 0],
                        sample_weight=weights[task][rows],
                    )
                )
        if skipped and not self._told:
            _LOG.info(
                "%d of %d pairs of a scenario and a task have one class in "
                "the validation rows and no AUC.",
                skipped,
                skipped + len(self.values),
            )
        self._told = True
        self._validated = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        # Some epochs end without a validation, see `validation_freq`.
        if logs is not None and self._validated:
            values = list(self.values.values())
            logs["val_mean_auc"] = (
                float(np.mean(values)) if values else math.nan
            )
        self._validated = False
