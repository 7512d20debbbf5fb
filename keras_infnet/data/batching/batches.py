"""Batches of encoded rows."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_infnet.data.batching.batch_arrays import input_arrays, task_arrays
from keras_infnet.data.batching.row_order import Windows
from keras_infnet.data.batching.tf_data import as_tf_data
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.labels import label_columns
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Table

__all__ = ["Batches", "batches"]

Batch = tuple[dict[str, np.ndarray], ...]


class Batches(keras.utils.PyDataset):
    """Batches of `(inputs, labels, weights)` dicts.

    A source in memory is encoded once. A file is read one row group at a
    time. Shuffling permutes the row groups, joins consecutive ones into
    windows and permutes the rows within a window, so at most two windows are
    in memory. Batch `i` depends only on the seed and the epoch: a resumed run
    that sets `epoch` sees the same batches.

    Train with `fit(data, shuffle=False, callbacks=[data.epoch_callback()])`.
    The callback sets `epoch` to the epoch of Keras. Without it `epoch`
    increases in `on_epoch_end`, which Keras also calls once before training.
    Keras's `shuffle` would draw batches in an order that `seed` does not fix,
    and read every window many times.

    Args:
        source: `Table`, frame, path or list of paths; see `open_source`.
        encoder: fitted `Encoder`.
        batch_size: integer.
        shuffle: boolean. `False` keeps the order of the source. Defaults to
            `False`.
        seed: non-negative integer. Seed of the shuffling. Defaults to `0`.
        labels: boolean. Whether to add labels and weights, for which the
            source must have them. `False` gives `(inputs,)`. Defaults to
            `True`.
        drop_last: boolean. Whether to leave out a last batch that is not
            full. Defaults to `False`.
        window: integer. Minimum number of rows in a window; larger windows
            shuffle better and need more memory. Defaults to `262144`.
        workers: integer. Number of threads in which Keras prepares batches.
            Defaults to `1`.
        max_queue_size: integer. Number of batches prepared in advance.
            Defaults to `10`.

    Raises:
        ValueError: If an argument is out of range, columns are missing, there
            are no rows or no batches, or values do not fit the schema.

    Example:

    >>> from keras_infnet.data import Table
    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     [Categorical("item")],
    ...     [Task("click")],
    ...     [Behavior("seen", ["item"], max_length=2)],
    ... )
    >>> table = Table({
    ...     "item": [7, 8, 7],
    ...     "seen_item": [[], [7], [7, 8]],
    ...     "click": [1, 0, None],
    ... })
    >>> data = Batches(table, Encoder(schema).fit(table), batch_size=3)
    >>> inputs, labels, weights = data[0]
    >>> inputs["seen_item"].tolist(), inputs["seen_mask"].sum(axis=1).tolist()
    ([[0, 0], [1, 0], [1, 2]], [0, 1, 2])
    >>> labels["click"].tolist(), weights["click"].tolist()
    ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    """

    def __init__(
        self,
        source: Any,
        encoder: Encoder,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        labels: bool = True,
        drop_last: bool = False,
        window: int = 262_144,
        workers: int = 1,
        max_queue_size: int = 10,
    ) -> None:
        super().__init__(workers=workers, max_queue_size=max_queue_size)
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("window", window, 1),
            ("seed", seed, 0),
        ):
            if isinstance(value, bool) or int(value) != value or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. "
                    f"Received: {value!r}."
                )
        self.encoder = encoder
        self.schema = encoder.schema
        self._encoded = _EncodedSource(source, encoder, labels)
        self.source = self._encoded.source
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.seed = int(seed)
        self.drop_last = drop_last
        self.window = int(window)
        self._windows = Windows(
            self.source.chunk_rows,
            self.window,
            shuffle,
            self.seed,
            self.source.random_access,
        )
        self._epoch = 0
        self._epoch_settings = 0
        if not len(self):
            raise ValueError(
                f"there is no full batch: {self.num_rows} rows, "
                f"batch_size={batch_size}. Use `drop_last=False` or a smaller "
                "`batch_size`."
            )
        # Raise errors in the first rows here, not in a thread of Keras.
        self[0]

    # ---------------------------------------------------------------- batches

    @property
    def num_rows(self) -> int:
        """Number of rows of the source."""
        return self.source.num_rows

    @property
    def fingerprint(self) -> str | None:
        """`Encoder.fingerprint` of the encoder that made the batches."""
        return self.schema.fingerprint

    @property
    def has_labels(self) -> bool:
        """Whether the batches have labels and weights."""
        return self._encoded.labels

    def __len__(self) -> int:
        full, rest = divmod(self.num_rows, self.batch_size)
        return full + bool(rest and not self.drop_last)

    def __getitem__(self, index: int) -> Batch:
        return self._batch(index, self._epoch)

    def _batch(self, index: int, epoch: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} batches, no {index}.")
        start = index * self.batch_size
        stop = min(start + self.batch_size, self.num_rows)
        parts = []
        for piece in self._windows.pieces(epoch, start, stop):
            rows = self._encoded.table(piece.chunks).take(piece.rows)
            part = [input_arrays(self.schema, rows)]
            if self.has_labels:
                part.append(task_arrays(self.schema, rows, "label"))
                part.append(task_arrays(self.schema, rows, "weight"))
            parts.append(tuple(part))
        return parts[0] if len(parts) == 1 else _join(parts)

    # ------------------------------------------------------------------ epoch

    @property
    def epoch(self) -> int:
        """Epoch that determines the order of the batches."""
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        if value < 0:
            raise ValueError(f"`epoch` must not be negative. Received: {value}")
        self._epoch = int(value)
        self._epoch_settings += 1

    def on_epoch_end(self) -> None:
        """Moves to the next epoch; called by Keras."""
        self.epoch += 1

    def epoch_callback(self) -> keras.callbacks.Callback:
        """Returns a callback that sets `epoch` to the one Keras counts.

        Pass it to `fit` with this dataset or its `to_tf_data()`. With
        `fit(initial_epoch=k)` training continues with the batches of epoch
        `k`.
        """

        def set_epoch(epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        return keras.callbacks.LambdaCallback(on_epoch_begin=set_epoch)

    # ---------------------------------------------------------------- tf.data

    def to_tf_data(self, prefetch: int = 8) -> Any:
        """Returns the same batches as a `tf.data.Dataset`.

        Every iteration is one call of `pass_once`.

        Args:
            prefetch: integer. Batches prepared ahead. Defaults to `8`.

        Returns:
            A `tf.data.Dataset` of known cardinality. All axes but the first
            are static. By its attribute `schema` a model detects data of
            another encoder; datasets derived from it, for example by `map` or
            `take`, lack the attribute.

        Raises:
            ImportError: If TensorFlow is not installed.
        """
        return as_tf_data(self, prefetch)

    def pass_once(self) -> Iterator[Batch]:
        """Yields the batches of the current epoch, then moves to the next.

        The order is that of `epoch` at the start. `epoch` increases by one
        with the last batch, unless it was set in between.
        """
        epoch, settings = self._epoch, self._epoch_settings
        last = len(self) - 1
        for index in range(last + 1):
            batch = self._batch(index, epoch)
            # Before the last batch is yielded, since a caller may not ask for
            # more. An iteration that was abandoned early, as when Keras builds
            # a model, must not change the epoch of a later one.
            if index == last and self._epoch_settings == settings:
                self.epoch = epoch + 1
            yield batch

    # ----------------------------------------------------- columns as a whole

    def labels(self) -> dict[str, np.ndarray]:
        """Returns all labels, float32 of shape `(rows,)`, in source order."""
        return self._tasks("label")

    def weights(self) -> dict[str, np.ndarray]:
        """Returns all weights, float32 of shape `(rows,)`, in source order."""
        return self._tasks("weight")

    def group(self) -> np.ndarray:
        """Returns the raw group of all rows, in source order."""
        if self.schema.group is None:
            raise ValueError("the schema has no group.")
        return self.source.read([self.schema.group])[self.schema.group]

    def _tasks(self, what: str) -> dict[str, np.ndarray]:
        columns = self._encoded.tasks()
        return {n: columns[f"{what}:{n}"] for n in self.schema.task_names}


def _join(parts: list[Batch]) -> Batch:
    return tuple(
        {name: np.concatenate([d[name] for d in dicts]) for name in dicts[0]}
        for dicts in zip(*parts, strict=True)
    )


# A batch may span two windows, and workers run concurrently.
_KEPT = 2


class _EncodedSource:
    """Encodes chunks on demand and caches the last two results.

    Safe to use from several threads.
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
            while len(self._tables) >= _KEPT:
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
        # The encoder reports all missing columns at once.
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
        del state["_lock"]  # locks cannot be pickled
        state["_tables"] = OrderedDict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def batches(
    source: Any,
    encoder: Encoder,
    batch_size: int,
    shuffle: bool = False,
    seed: int = 0,
    labels: bool = True,
    drop_last: bool = False,
    window: int = 262_144,
) -> Any:
    """Returns batches as the backend reads them best.

    Args:
        source: `Table`, frame, path or list of paths; see `open_source`.
        encoder: fitted `Encoder`.
        batch_size: integer.
        shuffle: boolean. Defaults to `False`.
        seed: non-negative integer. Defaults to `0`.
        labels: boolean. Defaults to `True`.
        drop_last: boolean. Defaults to `False`.
        window: integer. Defaults to `262144`.

    Returns:
        With the TensorFlow backend a `tf.data.Dataset`, otherwise a
        `Batches`, of the same batches. See `Batches` for the arguments.

    Raises:
        ValueError: As `Batches` does.
    """
    data = Batches(
        source, encoder, batch_size, shuffle, seed, labels, drop_last, window
    )
    if keras.backend.backend() == "tensorflow":
        return data.to_tf_data()
    return data
