"""Experiments: settings, runs, comparisons of models and sweeps."""

from typing import TYPE_CHECKING

from keras_infnet.utils.lazy_imports import lazy_names

if TYPE_CHECKING:
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
    from keras_infnet.experiments.experiment_data import (
        ExperimentData,
        load_data,
    )
    from keras_infnet.experiments.settings import (
        DataSettings,
        EvaluationSettings,
        ExperimentSettings,
        TrainingSettings,
        load_settings,
    )
    from keras_infnet.experiments.tuning.report import (
        Sweep,
        SweepTrial,
        format_sweep,
        sweep_rows,
        write_sweep,
    )
    from keras_infnet.experiments.tuning.run_sweep import sweep
    from keras_infnet.experiments.tuning.search_space import Range
    from keras_infnet.experiments.tuning.settings import SweepSettings

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

# Reading settings or versions needs neither Keras nor its backend.
__getattr__ = lazy_names(__name__)
