"""Fitting of calibrators on labeled rows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.data import Batches
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.evaluation import binary_metrics
from keras_infnet.evaluation.observed_rows import select_observed
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.serving.calibration.calibration import (
    Calibration,
    check_binary,
    sampling_rates,
)
from keras_infnet.serving.calibration.calibrator_fits import FITS
from keras_infnet.serving.calibration.task_calibration import (
    CalibrationFigures,
    TaskCalibration,
)
from keras_infnet.serving.model_directory import check_agreement
from keras_infnet.training.prediction import predict_rows

__all__ = ["calibrate"]

_FOLDS = 5


def calibrate(
    model: Any,
    encoder: Encoder,
    rows: Any,
    method: str | Mapping[str, str] = "temperature",
    negative_rate: float | Mapping[str, float] | None = None,
    *,
    rows_sampled: bool = False,
    batch_size: int = 4096,
) -> Calibration:
    """Fits one calibrator per task on rows that the model was not trained on.

    - `"temperature"`: `sigmoid(logit(p) / temperature)`, one parameter. It
      keeps the order of rows and a probability of one half. So it corrects
      over- and underconfidence, but not predictions that are too high on
      average.
    - `"platt"`: `sigmoid(slope * logit(p) + intercept)`, two parameters. It
      keeps the order of rows, since the slope is positive.
    - `"isotonic"`: any non-decreasing function, by
      `sklearn.isotonic.IsotonicRegression`. It needs thousands of positives,
      and creates ties: different predictions may become equal, so that AUC
      and GAUC can decrease slightly, and some may become exactly 0 or 1.

    The first two minimize the weighted log loss; temperature and slope are
    kept between 0.01 and 100, with a warning at the bounds. Logits are clipped
    to [-17, 17].

    A task is calibrated on the rows where its label is observed; one with
    `given` only where the label of that task is 1, as a conditional
    probability.

    The figures "before" are those of the model's predictions. "After" is
    cross-fitted: rows are split into five stratified folds, and each fold is
    calibrated by a fit on the other four. The returned calibrators are fitted
    on all rows.

    Args:
        model: a model of `keras_infnet.models`, or another one with the
            inputs and outputs of the schema.
        encoder: its `keras_infnet.data.Encoder`.
        rows: labeled rows, anything that `keras_infnet.data.open_source`
            takes, usually validation rows. They should be distributed as the
            traffic that will be served.
        method: `"temperature"`, `"platt"` or `"isotonic"` for every binary
            task, or a mapping of task name to one of them; other tasks are
            not fitted. Defaults to `"temperature"`.
        negative_rate: float, mapping of task name to float, or `None`. Share
            of the negatives that were kept in training. It is corrected
            before the fit; see `Calibration.for_sampling` for tasks with
            `given`. Defaults to `None`.
        rows_sampled: boolean. Whether negatives were dropped from `rows` at
            the same rate. Those left then weigh `1 / negative_rate`;
            otherwise the fit would undo the correction. Defaults to `False`.
        batch_size: integer. Rows per batch. Defaults to `4096`.

    Returns:
        `Calibration`, for `apply`, `save` and
        `keras_infnet.serving.export(calibration=...)`.

    Raises:
        ValueError: If model and encoder do not belong together, a task or
            method is unknown, a task is not binary, it has no labeled rows or
            fewer than two of a class, or a prediction is not finite.

    Example:

    ```python
    calibration = calibrate(model, encoder, validation, "platt")
    print(format_calibration(calibration))
    export(model, encoder, "saved_models/news", calibration=calibration)
    ```

    Reference:
    - Platt, 1999, Probabilistic outputs for support vector machines
    - [Zadrozny and Elkan, 2002](https://doi.org/10.1145/775047.775151)
    - [Guo et al., 2017](https://arxiv.org/abs/1706.04599), section 4.2
    - [He et al., 2014](https://doi.org/10.1145/2648584.2648589), section 6.3
    """
    schema = encoder.schema
    check_agreement(model, schema)
    methods = _methods(schema, method)
    plans = {
        task: TaskCalibration(task, rate)
        for task, rate in sampling_rates(schema, negative_rate).items()
    }
    if rows_sampled and not plans:
        raise ValueError(
            "`rows_sampled` needs `negative_rate`, the share of the negatives "
            "that were kept."
        )
    names = [n for n in schema.task_names if n in methods or n in plans]
    if not names:
        raise ValueError(
            "there is nothing to calibrate. Name a binary task in `method` or "
            f"`negative_rate`. Received: method={method!r}."
        )
    batches = Batches(rows, encoder, batch_size)
    labels, weights = batches.labels(), batches.weights()
    predictions = predict_rows(model, batches)
    tasks = []
    for name in names:
        values = labels[name], predictions[name], weights[name]
        plan = plans.get(name, TaskCalibration(name))
        try:
            found = _fit_task(plan, methods.get(name), values, rows_sampled)
        except ValueError as error:
            raise ValueError(f"task {name!r}: {error}") from error
        tasks.append(found)
    return Calibration(tuple(tasks))


def _methods(schema: Schema, method: Any) -> dict[str, str]:
    if isinstance(method, Mapping):
        check_binary(schema, method)
        methods = dict(method)
    else:
        binary = [t.name for t in schema.tasks if t.kind == "binary"]
        methods = dict.fromkeys(binary, method)
    for name in methods.values():
        if name not in FITS:
            raise ValueError(nearest_name(name, FITS, "method"))
    return methods


def _fit_task(
    plan: TaskCalibration,
    method: str | None,
    values: tuple[Any, Any, Any],
    rows_sampled: bool,
) -> TaskCalibration:
    if not np.isfinite(values[1]).all():
        raise ValueError(
            f"the model predicts {int(np.sum(~np.isfinite(values[1])))} values "
            "that are not finite. Look at its weights: training diverged, or "
            "mixed precision overflowed."
        )
    rows = select_observed(*values)
    counts = np.bincount(rows.labels.astype(int), minlength=2)
    if counts.sum() == 0:
        raise ValueError(
            "no row has a label with a weight above 0. Look at the label "
            "column, or omit the task: pass `method` as a mapping of the "
            "other tasks."
        )
    if counts.min() < 2:
        raise ValueError(
            "calibration needs at least two rows of each class, and many more "
            f"to be of use. Received: {counts[0]} rows with label 0 and "
            f"{counts[1]} with label 1. Pass more rows, or omit the task: pass "
            "`method` as a mapping of the other tasks."
        )
    labels, weights = rows.labels, rows.weights
    if rows_sampled and plan.negative_rate is not None:
        weights = np.where(labels == 0, weights / plan.negative_rate, weights)
    before = _figures(labels, rows.predictions, weights)
    sampled = plan.apply(rows.predictions).astype(np.float64)
    if method is None:
        after = _figures(labels, sampled, weights)
        return dataclasses.replace(plan, before=before, after=after)
    unseen = _unseen(method, sampled, labels, weights)
    return dataclasses.replace(
        plan,
        calibrator=FITS[method](sampled, labels, weights, plan.task),
        before=before,
        after=_figures(labels, unseen, weights),
    )


def _unseen(
    method: str, predictions: np.ndarray, labels: np.ndarray, weights: Any
) -> np.ndarray:
    """Calibrates every row by a fit on the other folds."""
    from sklearn.model_selection import StratifiedKFold

    rarest = int(min(labels.sum(), (1 - labels).sum()))
    folds = StratifiedKFold(min(_FOLDS, rarest), shuffle=True, random_state=0)
    out = np.empty_like(predictions)
    for seen, left in folds.split(predictions, labels):
        fitted = FITS[method](predictions[seen], labels[seen], weights[seen])
        out[left] = fitted.apply(predictions[left])
    return out


def _figures(
    labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray
) -> CalibrationFigures:
    values = labels, predictions, weights
    return CalibrationFigures(
        rows=float(len(labels)),
        rate=float(np.average(labels, weights=weights)),
        calibration=binary_metrics.calibration(*values),
        expected_calibration_error=(
            binary_metrics.expected_calibration_error(*values)
        ),
        log_loss=binary_metrics.log_loss(*values),
        normalized_entropy=binary_metrics.normalized_entropy(*values),
    )
