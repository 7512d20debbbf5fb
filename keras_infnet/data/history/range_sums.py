"""Sums over ranges of events, and quotients of them."""

import numpy as np
import pandas as pd

__all__ = ["ratio", "row_means", "sums"]


def sums(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the observed values in each range.

    The sums run anew from every start: a huge value of one entity would
    otherwise swallow the digits of all that follow.

    Args:
        values: float array of shape `(events,)`, NaN where not observed.
        starts: integer array of shape `(ranges,)`. No range may reach beyond
            the start of another one, as is so for the events of entities.
        ends: integer array of shape `(ranges,)`, excluded.

    Returns:
        Float array of the sums and integer array of the numbers, both of
        shape `(ranges,)`.

    Example:

    >>> sums(np.array([1e17, 1.0, np.nan]), np.array([0, 1]), np.array([1, 3]))
    (array([1.e+17, 1.e+00]), array([1, 1]))
    """
    observed = ~np.isnan(values)
    counts = np.concatenate([[0], np.cumsum(observed)])
    entities = np.searchsorted(
        np.unique(starts), np.arange(len(values)), side="right"
    )
    filled = pd.Series(np.where(observed, values, 0.0))
    running = filled.groupby(entities, sort=False).cumsum().to_numpy()
    totals = np.zeros(len(starts))
    filled_ranges = ends > starts
    totals[filled_ranges] = running[ends[filled_ranges] - 1]
    return totals, counts[ends] - counts[starts]


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where nothing was observed."""
    unknown = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=unknown, where=denominator > 0)


def row_means(
    rows: np.ndarray, values: np.ndarray, num_rows: int
) -> np.ndarray:
    """Mean over the values of each row, NaN for a row without any."""
    totals = np.bincount(rows, weights=values, minlength=num_rows)
    counts = np.bincount(rows, minlength=num_rows)
    return ratio(totals, counts).astype(np.float32)
