"""Exact metrics, confidence intervals, reports and baselines."""

from keras_infnet.binary_metrics import (
    CalibrationCurve,
    calibration,
    calibration_curve,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
)
from keras_infnet.evaluation.ablations import ablations
from keras_infnet.evaluation.baselines import (
    GradientBoostingBaseline,
    LogisticRegressionBaseline,
)
from keras_infnet.evaluation.comparison import (
    Compared,
    Comparison,
    compare,
)
from keras_infnet.evaluation.comparison_page import format_page, write_page
from keras_infnet.evaluation.comparison_report import (
    comparison_rows,
    format_comparison,
    write_comparison,
)
from keras_infnet.evaluation.comparison_settings import (
    ComparisonSettings,
    SearchSettings,
)
from keras_infnet.evaluation.confidence import (
    ConfidenceInterval,
    DifferenceInterval,
    auc_difference_interval,
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
from keras_infnet.evaluation.multiply_adds import multiply_adds
from keras_infnet.evaluation.ranking import GroupAUC, auc, gauc, group_aucs
from keras_infnet.evaluation.regression import r2, rmse
from keras_infnet.evaluation.report import evaluate, format_report
from keras_infnet.evaluation.sweep_report import (
    Sweep,
    SweepTrial,
    format_sweep,
    sweep_rows,
    write_sweep,
)
from keras_infnet.evaluation.sweep_settings import SweepSettings
from keras_infnet.evaluation.sweep_space import Range
from keras_infnet.evaluation.sweeping import sweep
from keras_infnet.json_values import json_safe

__all__ = [
    "CalibrationCurve",
    "Compared",
    "Comparison",
    "ComparisonSettings",
    "ConfidenceInterval",
    "DataSettings",
    "DifferenceInterval",
    "EvaluationSettings",
    "ExperimentData",
    "ExperimentSettings",
    "GradientBoostingBaseline",
    "GroupAUC",
    "LogisticRegressionBaseline",
    "Range",
    "Run",
    "SearchSettings",
    "Sweep",
    "SweepSettings",
    "SweepTrial",
    "TrainingSettings",
    "ablations",
    "auc",
    "auc_difference_interval",
    "auc_interval",
    "build_model",
    "calibration",
    "calibration_curve",
    "compare",
    "comparison_rows",
    "evaluate",
    "evaluate_model",
    "expected_calibration_error",
    "fit_baseline",
    "format_comparison",
    "format_page",
    "format_report",
    "format_sweep",
    "gauc",
    "gauc_interval",
    "group_aucs",
    "json_safe",
    "load_data",
    "load_settings",
    "log_loss",
    "multiply_adds",
    "normalized_entropy",
    "r2",
    "rmse",
    "run_experiment",
    "sweep",
    "sweep_rows",
    "write_comparison",
    "write_page",
    "write_sweep",
]
