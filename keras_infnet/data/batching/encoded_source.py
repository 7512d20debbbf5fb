"""Chunks of a source, encoded, the last ones kept."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from keras_infnet.data.batching.labels import label_columns
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Table

__all__ = ["EncodedSource"]

# A batch may straddle two windows, and workers run ahead of each other.
_KEPT = 2


class EncodedSource:
    """Encodes chunks when they are needed and keeps the last two results.

    Safe to use from several threads.

    Args:
        source: whatever `open_source` takes.
        encoder: fitted `Encoder`.
        labels: boolean. Whether to add labels and weights.
    """

    def __init__(self, source: Any, encoder: Encoder, labels: bool) -> None:
        self.encoder = encoder
        self.labels = labels
        self.source = open_source(source, encoder.text_columns)
        self._tables: OrderedDict[tuple[int, ...], Table] = OrderedDict()
        self._lock = threading.Lock()

    def table(self, chunks: tuple[int, ...]) -> Table:
        """Returns the encoded rows of chunks, joined."""
        with self._lock:
            if chunks in self._tables:
                self._tables.move_to_end(chunks)
                return self._tables[chunks]
            while len(self._tables) >= _KEPT:  # before there is one more
                self._tables.popitem(last=False)
            table = Table.concat([self._encode(chunk) for chunk in chunks])
            self._tables[chunks] = table
            return table

    def tasks(self) -> dict[str, np.ndarray]:
        """Returns labels and weights of all rows, see `label_columns`."""
        schema = self.encoder.schema
        names = {task.label_column for task in schema.tasks}
        columns = sorted(names & set(self.source.columns))
        parts = []
        for index, chunk in enumerate(self.source.chunks(columns)):
            try:
                parts.append(label_columns(schema, chunk))
            except ValueError as error:
                where = self.source.describe(index)
                raise ValueError(f"{where}: {error}") from error
        return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

    def _encode(self, chunk: int) -> Table:
        # Missing columns are left to the encoder, which names all of them.
        wanted = self.encoder.columns(self.labels)
        columns = [name for name in wanted if name in self.source.columns]
        raw = self.source.read_chunk(chunk, columns)
        try:
            return self.encoder.encode(raw, labels=self.labels)
        except ValueError as error:
            where = self.source.describe(chunk)
            raise ValueError(f"{where}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        del state["_lock"]  # locks do not travel between processes
        state["_tables"] = OrderedDict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
