"""Selection and checks of the rows with a label and a weight."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["ObservedRows", "group_codes", "select_observed"]


class ObservedRows(NamedTuple):
    """Observed rows as float64 vectors, and the mask that selected them."""

    labels: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray
    mask: np.ndarray


def select_observed(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    binary: bool = True,
) -> ObservedRows:
    """Drops rows with a NaN label or weight 0 and checks the others.

    Arrays have shape `(rows,)` or `(rows, 1)`; weights default to 1. With
    `binary`, labels must be 0 or 1.

    Example:

    >>> rows = select_observed([0, np.nan, 1, 1], [0.1, 0.2, 0.3, 0.4],
    ...     [1, 1, 0, 1])
    >>> rows.labels, rows.predictions, rows.mask
    (array([0., 1.]), array([0.1, 0.4]), array([ True, False, False,  True]))
    """
    label_vector = _vector(labels, "labels")
    prediction_vector = _vector(predictions, "predictions")
    if weights is None:
        weight_vector = np.ones(len(label_vector))
    else:
        weight_vector = _vector(weights, "weights")
    vectors = label_vector, prediction_vector, weight_vector
    sizes = [len(vector) for vector in vectors]
    if len(set(sizes)) > 1:
        raise ValueError(
            "labels, predictions and weights must have one value per row. "
            f"Received: {sizes[0]} labels, {sizes[1]} predictions and "
            f"{sizes[2]} weights."
        )
    _refuse(
        ~np.isfinite(weight_vector) | (weight_vector < 0),
        weight_vector,
        "weights must be finite and at least 0",
    )
    mask = ~np.isnan(label_vector) & (weight_vector > 0)
    if binary:
        bad = mask & (label_vector != 0) & (label_vector != 1)
        _refuse(bad, label_vector, "labels must be 0, 1 or NaN")
    else:
        bad = np.isinf(label_vector)
        _refuse(bad, label_vector, "labels must be finite or NaN")
    bad = mask & ~np.isfinite(prediction_vector)
    _refuse(bad, prediction_vector, "predictions must be finite")
    if not mask.all():
        label_vector, prediction_vector, weight_vector = (
            vector[mask] for vector in vectors
        )
    return ObservedRows(label_vector, prediction_vector, weight_vector, mask)


def group_codes(groups: Any, mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers the groups of the rows in `mask`, and counts the groups.

    Codes are in order of first appearance, -1 for missing groups (NaN or
    `None`).

    Example:

    >>> group_codes(np.array(["b", "a", None, "b"]), np.ones(4, bool))
    (array([ 0,  1, -1,  0], dtype=int32), 2)
    """
    groups = np.asarray(groups)
    if groups.shape not in ((len(mask),), (len(mask), 1)):
        raise ValueError(
            f"groups must have one value per row, {len(mask)} in all. "
            f"Received: shape {groups.shape}."
        )
    codes, known = pd.factorize(groups.reshape(-1)[mask])
    return codes.astype(np.int32), len(known)


def _vector(values: Any, what: str) -> np.ndarray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim == 2 and vector.shape[1] == 1:
        vector = vector[:, 0]
    if vector.ndim != 1:
        raise ValueError(
            f"{what} must have shape (rows,) or (rows, 1). "
            f"Received: {vector.shape}."
        )
    return vector


def _refuse(bad: np.ndarray, values: np.ndarray, rule: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{rule}. Received: {values[row]} in row {row} "
            f"({int(bad.sum())} such rows)."
        )
