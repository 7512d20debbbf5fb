"""Order of the rows of a source in an epoch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Piece", "Windows"]


class Piece(NamedTuple):
    """Some rows of one window: its chunks, and positions in them."""

    chunks: tuple[int, ...]
    rows: np.ndarray


class _Plan(NamedTuple):
    epoch: int
    windows: list[tuple[int, ...]]
    bounds: np.ndarray  # (windows + 1,), first row of each in visiting order


class Windows:
    """Shuffles chunks, and rows within windows of consecutive chunks.

    Chunks are joined until a window has at least `size` rows. Only one window
    has to be in memory at a time. The order depends only on `seed` and the
    epoch. Without shuffling every chunk is a window and rows keep their
    order.
    """

    def __init__(
        self,
        chunk_rows: Sequence[int],
        size: int,
        shuffle: bool,
        seed: int,
        permute_chunks: bool = True,
    ) -> None:
        self.chunk_rows = np.asarray(chunk_rows, np.int64)
        self.size = size
        self.shuffle = shuffle
        self.seed = seed
        self.permute_chunks = permute_chunks
        # Replaced as a whole, so that threads never see a mixture.
        self._plan: _Plan | None = None
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def pieces(self, epoch: int, start: int, stop: int) -> Iterator[Piece]:
        """Yields the rows of an epoch from position `start` up to `stop`."""
        plan = self._plan
        if plan is None or plan.epoch != epoch:
            plan = self._plan = self._make_plan(epoch)
        first = int(np.searchsorted(plan.bounds, start, side="right")) - 1
        for window in range(first, len(plan.windows)):
            low, high = plan.bounds[window : window + 2]
            if low >= stop:
                break
            places = np.arange(max(start, low), min(stop, high)) - low
            if self.shuffle:
                order = self._order(epoch, window, int(high - low))
                places = order[places]
            yield Piece(plan.windows[window], places)

    def _make_plan(self, epoch: int) -> _Plan:
        rows = self.chunk_rows
        windows: list[tuple[int, ...]] = [
            (chunk,) for chunk in range(len(rows))
        ]
        if self.shuffle:
            chunks = np.arange(len(rows))
            if self.permute_chunks:
                chunks = self._random(epoch, 0).permutation(chunks)
            windows, rows = self._join(chunks)
        bounds = np.concatenate([[0], np.cumsum(rows)])
        return _Plan(epoch, windows, bounds)

    def _join(
        self, chunks: np.ndarray
    ) -> tuple[list[tuple[int, ...]], np.ndarray]:
        windows: list[tuple[int, ...]] = []
        rows: list[int] = []
        full = True
        for chunk in chunks.tolist():
            if full:
                windows.append(())
                rows.append(0)
            windows[-1] += (chunk,)
            rows[-1] += int(self.chunk_rows[chunk])
            full = rows[-1] >= self.size
        # Rows of a window are permuted, so the order of its chunks is free.
        return [tuple(sorted(w)) for w in windows], np.asarray(rows)

    def _order(self, epoch: int, window: int, rows: int) -> np.ndarray:
        key = (epoch, window)
        order = self._orders.get(key)
        if order is None:
            order = self._random(epoch, window + 1).permutation(rows)
            # A batch rarely reads more than two windows.
            kept = list(self._orders.items())[-1:]
            self._orders = {**dict(kept), key: order}
        return order

    def _random(self, epoch: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, stream])
