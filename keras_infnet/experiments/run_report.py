"""Tables of the results of runs and baselines."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_infnet.evaluation.report import format_report
from keras_infnet.experiments.experiment import Run
from keras_infnet.experiments.experiment_data import ExperimentData

__all__ = ["BASELINE_TITLES", "describe_run", "describe_spread", "mean_run"]

Results = Mapping[str, Mapping[str, float]]

#: Names of the baselines in tables.
BASELINE_TITLES = {
    "logistic_regression": "logistic",
    "gradient_boosting": "boosting",
    "shared_bottom": "shared-bottom",
}


def describe_run(
    run: Run, data: ExperimentData, baselines: Mapping[str, Results]
) -> str:
    """Formats the metrics of a run and of baselines as a table."""
    extra: dict[str, dict[str, float]] = {}
    for name, results in baselines.items():
        for metric, title in (("auc", "AUC"), ("gauc", "GAUC")):
            column = {
                task: values[metric]
                for task, values in results.items()
                if metric in values
            }
            if column:
                extra[f"{BASELINE_TITLES[name]} {title}"] = column
    if data.best is not None:
        extra["best AUC"] = dict(data.best)
    return format_report(run.metrics or {}, extra)


def describe_spread(runs: Sequence[Run]) -> str:
    """Formats mean and standard deviation over seeds, one line per metric."""
    lines = []
    for task in runs[0].metrics or {}:
        for metric in ("auc", "gauc", "rmse"):
            values = [
                run.metrics[task][metric]
                for run in runs
                if run.metrics is not None and metric in run.metrics[task]
            ]
            if values:
                lines.append(
                    f"  {task} {metric} {np.mean(values):.4f} "
                    f"(standard deviation {np.std(values, ddof=1):.4f})"
                )
    return "\n".join(lines)


def mean_run(runs: Sequence[Run]) -> Run:
    """Returns the first run with the mean metrics of all."""
    metrics = [run.metrics or {} for run in runs]
    mean = {
        task: {
            name: float(np.mean([result[task][name] for result in metrics]))
            for name in metrics[0][task]
        }
        for task in metrics[0]
    }
    return dataclasses.replace(runs[0], metrics=mean)
