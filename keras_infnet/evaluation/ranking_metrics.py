"""Exact ranking metrics: AUC over all rows and within groups."""

from typing import Any, NamedTuple

import numpy as np

from keras_infnet.evaluation.observed_rows import group_codes, select_observed
from keras_infnet.schema import nearest_name

__all__ = ["GroupAUC", "auc", "gauc", "group_aucs"]


class GroupAUC(NamedTuple):
    """A mean AUC and the number of groups it is the mean of."""

    value: float
    num_groups: int


def auc(labels: Any, predictions: Any, weights: Any = None) -> float:
    """Area under the ROC curve.

    The part of (positive, negative) pairs, by weight, in which the positive
    has the larger prediction; ties count one half.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN for "not observed".
        predictions: array of shape `(rows,)`. Any score that grows with the
            probability.
        weights: array of shape `(rows,)` or `None`; rows of weight 0 are
            left out. Defaults to `None`.

    Returns:
        Float in `[0, 1]`, or NaN ("undefined") where positives or negatives
        are absent.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    rows = select_observed(labels, predictions, weights)
    codes = np.zeros(len(rows.labels), np.int32)
    area, _ = _areas(rows.labels, rows.predictions, rows.weights, codes, 1)
    return float(area[0])


def gauc(
    labels: Any,
    predictions: Any,
    groups: Any,
    weighting: str = "impressions",
    weights: Any = None,
) -> GroupAUC:
    """Mean AUC within groups, usually users.

    `gauc = sum_u(v_u * auc_u) / sum_u(v_u)` over the groups that have both a
    positive and a negative; `v_u` is the sum of the weights of the group's
    rows ("impressions") or 1 ("uniform"). It ignores what distinguishes
    groups and tells how well the rows of one group are ranked.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN for "not observed".
        predictions: array of shape `(rows,)`.
        groups: array of shape `(rows,)`, integers or strings. Rows with a
            missing group (NaN or `None`) are left out.
        weighting: `"impressions"` or `"uniform"`. Defaults to
            `"impressions"`.
        weights: array of shape `(rows,)` or `None`; rows of weight 0 are
            left out. Defaults to `None`.

    Returns:
        `GroupAUC(value, num_groups)`. The value is NaN where no group has
        both classes.

    Raises:
        ValueError: If lengths differ, values are out of range or the
            weighting is unknown.

    Example:

    >>> gauc([0, 1, 1, 0, 1], [0.1, 0.2, 0.9, 0.95, 0.5], [7, 7, 8, 8, 9])
    GroupAUC(value=0.5, num_groups=2)
    """
    if weighting not in ("impressions", "uniform"):
        raise ValueError(
            nearest_name(weighting, ("impressions", "uniform"), "weighting")
        )
    areas, sizes = group_aucs(labels, predictions, groups, weights)
    used = ~np.isnan(areas)
    if not used.any():
        return GroupAUC(float("nan"), 0)
    shares = sizes[used] if weighting == "impressions" else None
    return GroupAUC(
        float(np.average(areas[used], weights=shares)), int(used.sum())
    )


def group_aucs(
    labels: Any, predictions: Any, groups: Any, weights: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the AUC of every group.

    Args:
        labels: array of shape `(rows,)`: 0, 1, or NaN for "not observed".
        predictions: array of shape `(rows,)`.
        groups: array of shape `(rows,)`, integers or strings. Rows with a
            missing group (NaN or `None`) are left out.
        weights: array of shape `(rows,)` or `None`. Defaults to `None`.

    Returns:
        Two arrays of shape `(groups,)`, in the order in which groups first
        appear among the observed rows: AUC, NaN where a class is absent, and
        the sum of the weights.

    Raises:
        ValueError: If lengths differ or values are out of range.

    Example:

    >>> areas, sizes = group_aucs([0, 1, 1], [0.1, 0.2, 0.9], ["a", "a", "b"])
    >>> areas, sizes
    (array([ 1., nan]), array([2., 1.]))
    """
    labels, predictions, weights, mask = select_observed(
        labels, predictions, weights
    )
    codes, num_groups = group_codes(groups, mask)
    known = codes >= 0
    if not known.all():
        labels, predictions, weights, codes = (
            column[known] for column in (labels, predictions, weights, codes)
        )
    return _areas(labels, predictions, weights, codes, num_groups)


def _areas(
    labels: np.ndarray,
    predictions: np.ndarray,
    weights: np.ndarray,
    codes: np.ndarray,
    num_groups: int,
) -> tuple[np.ndarray, np.ndarray]:
    """AUC and weight of every group by one pass over the sorted rows."""
    if not len(labels):
        return np.full(num_groups, np.nan), np.zeros(num_groups)
    # By group, then by prediction. Two sorts of one key each take half the
    # time of one np.lexsort.
    order = np.argsort(predictions)
    if num_groups > 1:
        order = order[np.argsort(codes[order], kind="stable")]
    codes, predictions = codes[order], predictions[order]
    positives = (weights * labels)[order]
    negatives = weights[order] - positives
    # Rows of one group and one prediction make a block of ties.
    first = np.empty(len(codes), bool)
    first[0] = True
    np.not_equal(predictions[1:], predictions[:-1], out=first[1:])
    first[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(first)
    codes = codes[starts]
    positives = np.add.reduceat(positives, starts)
    negatives = np.add.reduceat(negatives, starts)
    total_positives = np.bincount(codes, positives, num_groups)
    total_negatives = np.bincount(codes, negatives, num_groups)
    # Negatives below a block within its group, half of its own added.
    below = np.cumsum(negatives) - negatives / 2
    before = np.cumsum(total_negatives) - total_negatives
    below -= before[codes]
    won = np.bincount(codes, positives * below, num_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = won / (total_positives * total_negatives)
    areas[(total_positives == 0) | (total_negatives == 0)] = np.nan
    return areas, total_positives + total_negatives
