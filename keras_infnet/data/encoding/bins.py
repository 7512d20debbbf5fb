"""Bins of numbers and of time gaps."""

import numpy as np

from keras_infnet.data.encoding.hashing import splitmix64
from keras_infnet.schema import GAP_BUCKETS, Numeric

__all__ = ["BinLearner", "bin_ids", "gap_ids", "gap_thresholds"]

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

# Layout of float64.
_FRACTION_BITS, _EXPONENT_BIAS = 52, 1023

#: Values kept to compute quantiles.
SAMPLE_SIZE = 1_000_000


def bin_ids(values: np.ndarray, boundaries: np.ndarray) -> np.ndarray:
    """Returns the bin of each number; 0 where it is missing.

    `1 + (number of boundaries <= value)` in float32, so that a value on a
    boundary falls into the upper bin, and infinite values into the outermost
    ones.
    """
    bins = np.searchsorted(boundaries, values, side="right").astype(np.int32)
    return np.where(np.isnan(values), np.int32(0), bins + np.int32(1))


class BinLearner:
    """Learns bin edges from a stream of values.

    Quantiles are exact for up to `sample_size` values. Beyond that they are
    computed from the values with the smallest hashed positions, a sample that
    does not depend on how the stream is divided into chunks. Where a frequent
    value covers several quantiles, the unused bins go to the quantiles of the
    rarer values: a count that is mostly 0 keeps its bins.
    """

    def __init__(self, part: Numeric, sample_size: int = SAMPLE_SIZE) -> None:
        self.part = part
        self.sample_size = sample_size
        self._lowest = np.inf
        self._lowest_positive = np.inf
        self._highest = -np.inf
        self._values = np.empty(0, np.float32)
        self._ranks = np.empty(0, np.uint64)
        self._seen: dict[int, int] = {}

    def add(self, values: np.ndarray, stream: int = 0) -> None:
        """Adds float32 values; values that are not finite are ignored.

        `stream` is the index of the column, where several share the bins.
        """
        seen = self._seen.get(stream, 0)
        self._seen[stream] = seen + len(values)
        finite = np.isfinite(values)
        if not finite.any():
            return
        positions = (seen + np.flatnonzero(finite)).astype(np.uint64)
        values = values[finite]
        self._lowest = min(self._lowest, float(values.min()))
        self._highest = max(self._highest, float(values.max()))
        positive = values[values > 0]
        if len(positive):
            lowest = float(positive.min())
            self._lowest_positive = min(self._lowest_positive, lowest)
        if self.part.binning == "quantile":
            salt = splitmix64(np.array([stream + 1]))
            self._keep(values, splitmix64(positions ^ salt))

    def _keep(self, values: np.ndarray, ranks: np.ndarray) -> None:
        values = np.concatenate([self._values, values])
        ranks = np.concatenate([self._ranks, ranks])
        if len(ranks) > self.sample_size:
            kept = np.argpartition(ranks, self.sample_size - 1)
            kept = kept[: self.sample_size]
            values, ranks = values[kept], ranks[kept]
        self._values, self._ranks = values, ranks

    def boundaries(self) -> np.ndarray:
        """Returns the inner edges, ascending float32, at most `bins - 1`."""
        if self._lowest > self._highest:  # nothing seen
            return np.empty(0, np.float32)
        if self.part.binning == "quantile":
            edges = self._quantile_edges()
        else:
            edges = self._log_edges()
        edges = np.unique(edges.astype(np.float32))
        # An edge at the lowest value would leave bin 1 without training
        # values, and later data with smaller values would fall into it.
        return edges[edges > np.float32(self._lowest)]

    def _quantile_edges(self) -> np.ndarray:
        bins, values = self.part.bins, self._values.astype(np.float64)
        edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
        edges = edges[edges > self._lowest]
        spare = bins - 1 - len(edges)
        if spare:
            distinct, counts = np.unique(values, return_counts=True)
            rare = counts * bins <= len(values)
            rest = np.repeat(distinct[rare], counts[rare])
            if len(rest):
                more = np.quantile(rest, np.arange(spare) / spare)
                edges = np.concatenate([edges, more])
        return edges

    def _log_edges(self) -> np.ndarray:
        if not np.isfinite(self._lowest_positive):
            return np.empty(0)
        # The first edge splits off zero and negative values.
        return np.geomspace(
            self._lowest_positive, self._highest, self.part.bins
        )[:-1]


def gap_thresholds(unit: str) -> np.ndarray:
    """Returns the time gaps at which the gap bucket changes.

    `(2**k - 1)` seconds for `k` from 1 to 31, in `unit`.
    """
    steps = np.arange(1, GAP_BUCKETS, dtype=np.int64)
    return (2**steps - 1) * np.int64(_UNITS[unit])


def gap_ids(request: np.ndarray, event: np.ndarray, unit: str) -> np.ndarray:
    """Returns the bucket of the time from an event to the request.

    `1 + floor(log2(1 + seconds))` in exact integer arithmetic, at most 32. If
    the event is later than the request, the time is 0 seconds. The bucket is
    0 where either time is missing.
    """
    seconds = np.maximum(request - event, 0) // _UNITS[unit]
    # The exponent of a float64 is the exact floor of the logarithm: integers
    # round only beyond the largest bucket.
    exponents = (1.0 + seconds).view(np.int64) >> _FRACTION_BITS
    buckets = np.minimum(exponents - (_EXPONENT_BIAS - 1), GAP_BUCKETS)
    known = (request >= 0) & (event >= 0)
    return np.where(known, buckets, 0).astype(np.int32)
