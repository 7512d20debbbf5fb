"""Exact metrics, confidence intervals, reports and baselines."""

import importlib
from typing import Any

from keras_infnet.evaluation.baselines import (
    GradientBoostingBaseline,
    LogisticRegressionBaseline,
)
from keras_infnet.evaluation.binary_metrics import (
    CalibrationCurve,
    calibration,
    calibration_curve,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
)
from keras_infnet.evaluation.confidence_intervals import (
    ConfidenceInterval,
    DifferenceInterval,
    auc_difference_interval,
    auc_interval,
    gauc_interval,
)
from keras_infnet.evaluation.multiply_adds import multiply_adds
from keras_infnet.evaluation.ranking_metrics import (
    GroupAUC,
    auc,
    gauc,
    group_aucs,
)
from keras_infnet.evaluation.regression_metrics import r2, rmse
from keras_infnet.evaluation.report import evaluate, format_report
from keras_infnet.utils.json_values import json_safe

__all__ = [
    "auc",
    "auc_difference_interval",
    "auc_interval",
    "calibration",
    "calibration_curve",
    "CalibrationCurve",
    "ConfidenceInterval",
    "DifferenceInterval",
    "evaluate",
    "expected_calibration_error",
    "format_report",
    "gauc",
    "gauc_interval",
    "GradientBoostingBaseline",
    "group_aucs",
    "GroupAUC",
    "json_safe",
    "log_loss",
    "LogisticRegressionBaseline",
    "multiply_adds",
    "normalized_entropy",
    "r2",
    "rmse",
]


def __getattr__(name: str) -> Any:
    # Comparisons and sweeps were part of this module before version 0.2.
    experiments = importlib.import_module("keras_infnet.experiments")
    if name in experiments.__all__:
        return getattr(experiments, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
