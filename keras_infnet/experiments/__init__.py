"""Experiments: settings, runs, comparisons of models and sweeps."""

from keras_infnet.experiments.comparison.ablations import ablations
from keras_infnet.experiments.comparison.page import format_page, write_page
from keras_infnet.experiments.comparison.report import (
    comparison_rows,
    format_comparison,
    write_comparison,
)
from keras_infnet.experiments.comparison.run_comparison import (
    Compared,
    Comparison,
    compare,
)
from keras_infnet.experiments.comparison.settings import (
    ComparisonSettings,
    SearchSettings,
)
from keras_infnet.experiments.experiment import (
    Run,
    build_model,
    evaluate_model,
    fit_baseline,
    run_experiment,
)
from keras_infnet.experiments.experiment_data import ExperimentData, load_data
from keras_infnet.experiments.settings import (
    DataSettings,
    EvaluationSettings,
    ExperimentSettings,
    TrainingSettings,
    load_settings,
)
from keras_infnet.experiments.sweep.report import (
    Sweep,
    SweepTrial,
    format_sweep,
    sweep_rows,
    write_sweep,
)
from keras_infnet.experiments.sweep.run_sweep import sweep
from keras_infnet.experiments.sweep.search_space import Range
from keras_infnet.experiments.sweep.settings import SweepSettings

__all__ = [
    "ablations",
    "build_model",
    "compare",
    "Compared",
    "Comparison",
    "comparison_rows",
    "ComparisonSettings",
    "DataSettings",
    "evaluate_model",
    "EvaluationSettings",
    "ExperimentData",
    "ExperimentSettings",
    "fit_baseline",
    "format_comparison",
    "format_page",
    "format_sweep",
    "load_data",
    "load_settings",
    "Range",
    "Run",
    "run_experiment",
    "SearchSettings",
    "Sweep",
    "sweep",
    "sweep_rows",
    "SweepSettings",
    "SweepTrial",
    "TrainingSettings",
    "write_comparison",
    "write_page",
    "write_sweep",
]
