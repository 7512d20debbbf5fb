"""One number for the metrics of all tasks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["mean_score"]


def mean_score(metrics: Mapping[str, Any] | None) -> tuple[str, float] | None:
    """Averages the main metric over the tasks that have it.

    Args:
        metrics: results by task, as `keras_infnet.evaluation.evaluate` gives
            them, or `None`.

    Returns:
        `("auc", mean)`, the larger the better; without any task whose AUC is
        defined `("rmse", mean)`, the smaller the better; `None` without
        either.

    Example:

    >>> mean_score({"click": {"auc": 0.75}, "like": {"auc": 0.25}})
    ('auc', 0.5)
    """
    for metric in ("auc", "rmse"):
        values = [
            float(task[metric])
            for task in (metrics or {}).values()
            if task.get(metric) is not None and np.isfinite(task[metric])
        ]
        if values:
            return metric, float(np.mean(values))
    return None
