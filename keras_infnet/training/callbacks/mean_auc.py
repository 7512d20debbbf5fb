"""The mean AUC over tasks, or over scenarios and tasks."""

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

    The names are `mean_auc` and, with validation data, `val_mean_auc`. Tasks
    without both classes have no AUC and are left out; the mean of no tasks is
    NaN. Put this callback before those that read the logs.

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
        # Keras does not prefix metrics with the name of a single output.
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

    All scenarios have the same weight, whatever their size. The exact AUC of
    every pair of a scenario and a binary task is computed on the rows with its
    label; pairs with one class are left out, and their number is logged once.
    Missing and unknown scenarios together count as one scenario. The mean
    replaces the `val_mean_auc` of `MeanAUC`: put this callback after
    `MeanAUC`, and before callbacks that read the logs or exchange weights.

    Args:
        batches: `keras_infnet.data.Batches` of the validation rows, not
            shuffled.

    Raises:
        ValueError: If the schema of the batches has no scenario, or they are
            shuffled.

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        schema = batches.schema
        if schema.scenario is None:
            raise ValueError(
                "the schema has no scenario. Give `Schema(scenario=...)` the "
                "name of a Categorical, or use MeanAUC."
            )
        if batches.shuffle:
            raise ValueError(
                "labels and predictions must have the same order: create the "
                "batches with shuffle=False."
            )
        self.batches = batches
        self.tasks = [t.name for t in schema.tasks if t.kind == "binary"]
        #: AUC of the last validation by scenario id and task.
        self.values: dict[tuple[int, str], float] = {}
        self._reported = False
        self._validated = False

    def on_test_end(self, logs: Logs = None) -> None:
        # Imported here, since scikit-learn takes a second.
        from sklearn.metrics import roc_auc_score

        # During a validation the model may have averaged weights.
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
        if skipped and not self._reported:
            _LOG.info(
                "%d of %d pairs of scenario and task have no AUC, because "
                "their validation rows have one class.",
                skipped,
                skipped + len(self.values),
            )
        self._reported = True
        self._validated = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        # Not every epoch has a validation, see `validation_freq`.
        if logs is not None and self._validated:
            values = list(self.values.values())
            logs["val_mean_auc"] = (
                float(np.mean(values)) if values else math.nan
            )
        self._validated = False
