"""Vocabularies: counts and lookup of ids."""

from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.schema import Categorical

__all__ = ["IdCounter", "VocabularyIndex"]

# A lookup array over all numbers up to the largest id is several times faster
# than hashing. It is used where at least one number in eight is an id.
_CELLS_PER_ID = 8
_FREE_CELLS = 1 << 16


class IdCounter:
    """Counts the ids of a stream.

    Memory grows with the number of distinct ids; hash a field
    (`hash_buckets=`) whose ids are too many for that.
    """

    def __init__(self, part: Categorical) -> None:
        self.part = part
        dtype: Any = np.int64 if part.dtype == "int" else object
        self._ids: list[np.ndarray] = [np.empty(0, dtype)]
        self._counts: list[np.ndarray] = [np.empty(0, np.int64)]

    def add(self, ids: np.ndarray, times: np.ndarray | None = None) -> None:
        """Adds cleaned ids, id `i` counted `times[i]` times."""
        codes, distinct = pd.factorize(ids)
        counts = np.bincount(codes, times, len(distinct)).astype(np.int64)
        known = counts > 0
        if distinct.dtype == object:
            known &= np.asarray(distinct != "", dtype=bool)
        else:
            known &= distinct >= 0
        self._ids.append(distinct[known])
        self._counts.append(counts[known])
        # Merging only when new ids outnumber merged ones keeps the work linear.
        if sum(map(len, self._ids[1:])) > len(self._ids[0]):
            self._merge()

    def _merge(self) -> None:
        codes, distinct = pd.factorize(np.concatenate(self._ids))
        counts = np.bincount(codes, np.concatenate(self._counts), len(distinct))
        self._ids = [distinct]
        self._counts = [counts.astype(np.int64)]

    def vocabulary(self) -> np.ndarray:
        """Returns the kept ids by descending count, then by value."""
        self._merge()
        ids, counts = self._ids[0], self._counts[0]
        kept = counts >= self.part.min_count
        ids, counts = ids[kept], counts[kept]
        order = np.argsort(ids, kind="stable")
        order = order[np.argsort(-counts[order], kind="stable")]
        return ids[order[: self.part.max_size]]


class VocabularyIndex:
    """Looks ids up: element `i` of the vocabulary has the id `i + 1`."""

    def __init__(self, vocabulary: np.ndarray) -> None:
        self._cells = _cells(vocabulary)
        self._dtype = vocabulary.dtype
        if self._cells is None:
            self._index = pd.Index(vocabulary, dtype=self._dtype)

    def look_up(self, values: np.ndarray) -> np.ndarray:
        """Returns int32 ids of cleaned values; 0 where unknown."""
        if self._cells is not None:
            return np.take(self._cells, values + 1, mode="clip")
        target = pd.Index(values, dtype=self._dtype)
        return (self._index.get_indexer(target) + 1).astype(np.int32)


def _cells(vocabulary: np.ndarray) -> np.ndarray | None:
    """Returns the id of every number from -1 (missing) to the largest plus one.

    `None` where ids are not integers or too sparse.
    """
    if vocabulary.dtype.kind not in "iu" or not len(vocabulary):
        return None
    largest = int(vocabulary.max())
    if largest > _CELLS_PER_ID * len(vocabulary) + _FREE_CELLS:
        return None
    cells = np.zeros(largest + 3, np.int32)
    cells[vocabulary + 1] = np.arange(1, len(vocabulary) + 1)
    return cells
