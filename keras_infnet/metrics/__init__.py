"""Streaming metrics that respect weights and missing labels."""

from keras_infnet.metrics.auc import AUC
from keras_infnet.metrics.calibration import Calibration
from keras_infnet.metrics.log_loss import LogLoss
from keras_infnet.metrics.normalized_entropy import NormalizedEntropy
from keras_infnet.metrics.root_mean_squared_error import RootMeanSquaredError
from keras_infnet.metrics.task_metrics import task_metrics

__all__ = [
    "AUC",
    "Calibration",
    "LogLoss",
    "NormalizedEntropy",
    "RootMeanSquaredError",
    "task_metrics",
]
