"""Exact metrics, confidence intervals, reports and baselines."""

from keras_infnet.evaluation.baselines import (
    GradientBoostingBaseline,
    LogisticRegressionBaseline,
)
from keras_infnet.evaluation.binary import (
    CalibrationCurve,
    calibration,
    calibration_curve,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
)
from keras_infnet.evaluation.confidence import (
    ConfidenceInterval,
    auc_interval,
    gauc_interval,
)
from keras_infnet.evaluation.configuration import (
    DataSettings,
    EvaluationSettings,
    ExperimentSettings,
    TrainingSettings,
    load_settings,
)
from keras_infnet.evaluation.experiment import (
    ExperimentData,
    Run,
    build_model,
    evaluate_model,
    fit_baseline,
    load_data,
    run_experiment,
)
from keras_infnet.evaluation.ranking import GroupAUC, auc, gauc, group_aucs
from keras_infnet.evaluation.regression import r2, rmse
from keras_infnet.evaluation.report import evaluate, format_report
from keras_infnet.json_values import json_safe

__all__ = [
    "CalibrationCurve",
    "ConfidenceInterval",
    "DataSettings",
    "EvaluationSettings",
    "ExperimentData",
    "ExperimentSettings",
    "GradientBoostingBaseline",
    "GroupAUC",
    "LogisticRegressionBaseline",
    "Run",
    "TrainingSettings",
    "auc",
    "auc_interval",
    "build_model",
    "calibration",
    "calibration_curve",
    "evaluate",
    "evaluate_model",
    "expected_calibration_error",
    "fit_baseline",
    "format_report",
    "gauc",
    "gauc_interval",
    "group_aucs",
    "json_safe",
    "load_data",
    "load_settings",
    "log_loss",
    "normalized_entropy",
    "r2",
    "rmse",
    "run_experiment",
]
