"""Checks that ids lie within their embedding tables.

Tables are stacked, so an id outside its table would read rows of the next
field, or NaN on JAX.
"""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_infnet.schema import GAP_BUCKETS, Schema

__all__ = ["IdChecks"]

# Messages of `tf.data` for a failed assertion and for an error in Python.
_ID_ERRORS = (
    re.compile(r"ids of input (\w+) outside\] \[([^]]+)\]"),
    re.compile(r"input '(\w+)' holds the id (\S+),"),
)


class IdChecks:
    """Checks ids of arrays at once and ids of datasets batch by batch.

    `keras_infnet.data.Batches` are not checked, because an encoder makes
    their ids. Tensors on an accelerator are not checked either, because this
    would copy them to the host.
    """

    def __init__(self, schema: Schema) -> None:
        sizes = {p.name: schema.table_size(p.table_name) for p in schema.fields}
        for behavior in schema.behaviors:
            parts = schema.attributes(behavior)
            for name, part in zip(behavior.columns, parts, strict=True):
                sizes[name] = schema.table_size(part.table_name)
            if behavior.timed:
                sizes[behavior.gap_input] = GAP_BUCKETS + 1
        self.sizes = sizes

    def check(self, inputs: Any) -> None:
        """Raises for the first input with an id outside its table."""
        if not isinstance(inputs, Mapping):
            return
        for name, size in self.sizes.items():
            ids = _on_host(inputs.get(name))
            if ids is None or not ids.size:
                continue
            kind = ids.dtype.kind
            if kind not in "iubf" or kind == "f" and np.any(ids % 1):
                raise ValueError(
                    f"input {name!r} must hold integer ids. Received an array "
                    f"of dtype {ids.dtype}, such as {ids.ravel()[:3]}."
                )
            lowest, highest = ids.min(), ids.max()
            if not (lowest >= 0 and highest < size):
                raise _error(name, lowest if lowest < 0 else highest, size)

    def check_batch(self, batch: Any) -> Any:
        """Checks the inputs of a batch and returns the batch."""
        self.check(batch[0] if isinstance(batch, (tuple, list)) else batch)
        return batch

    def checked(self, source: Any) -> Any:
        """Returns data for `fit` that check the batches they yield."""
        if isinstance(source, _CheckedDataset):
            return source  # validation data of `fit`
        if isinstance(source, keras.utils.PyDataset):
            if hasattr(source, "encoder"):
                # Imported here, since it imports pyarrow.
                from keras_infnet.data import Batches

                if isinstance(source, Batches):
                    return source
            return _CheckedDataset(source, self)
        if isinstance(source, Mapping):
            self.check(source)
            return source
        module = type(source).__module__
        if module.startswith("tensorflow.") and hasattr(source, "element_spec"):
            return self._checked_tf_data(source)
        if module.startswith("torch.") and hasattr(source, "collate_fn"):
            # A copy, since the loader belongs to the caller.
            collate, source = source.collate_fn, copy.copy(source)
            source.collate_fn = lambda rows: self.check_batch(collate(rows))
            return source
        if isinstance(source, Iterator):
            return (self.check_batch(batch) for batch in source)
        return source

    @contextlib.contextmanager
    def readable_errors(self) -> Iterator[None]:
        """Raises id errors of a `tf.data` pipeline as `ValueError`."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ValueError):
                raise
            found = [f for f in (p.search(str(error)) for p in _ID_ERRORS) if f]
            if not found:
                raise
            name, wrong = found[0].groups()
            raise _error(name, wrong, self.sizes[name]) from error

    def _checked_tf_data(self, dataset: Any) -> Any:
        import tensorflow as tf

        if not hasattr(dataset, "map"):
            return dataset

        def check(*batch: Any) -> Any:
            inputs = batch[0]
            checks = []
            for name, size in self.sizes.items():
                ids = inputs.get(name) if isinstance(inputs, Mapping) else None
                if not isinstance(ids, tf.Tensor):
                    continue
                if not (ids.dtype.is_integer or ids.dtype.is_floating):
                    raise ValueError(
                        f"input {name!r} must hold integer ids. Received a "
                        f"dataset with tensors of dtype {ids.dtype.name}."
                    )
                fine = (ids >= 0) & (ids < size)
                if ids.dtype.is_floating:
                    fine &= tf.equal(ids, tf.floor(ids))
                # The message shows the first wrong id.
                wrong = tf.boolean_mask(ids, ~fine)[:1]
                message = f"ids of input {name} outside"
                checks.append(
                    tf.Assert(tf.equal(tf.size(wrong), 0), [message, wrong])
                )
            with tf.control_dependencies(checks):
                kept = tf.nest.map_structure(
                    lambda t: tf.identity(t) if isinstance(t, tf.Tensor) else t,
                    batch,
                )
            return kept if len(kept) > 1 else kept[0]

        if isinstance(dataset.element_spec, tuple):
            single = len(dataset.element_spec) == 1
            mapped = (lambda *b: (check(*b),)) if single else check
            return dataset.map(mapped).prefetch(1)
        return dataset.map(check).prefetch(1)


class _CheckedDataset(keras.utils.PyDataset):
    """Wraps a dataset and checks the ids of every batch."""

    def __init__(self, dataset: Any, checks: IdChecks) -> None:
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset, self.checks = dataset, checks
        self.schema = getattr(dataset, "schema", None)

    def __getitem__(self, index: int) -> Any:
        return self.checks.check_batch(self.dataset[index])

    @property
    def num_batches(self) -> Any:
        """Number of batches, or `None` if infinite."""
        return self.dataset.num_batches

    def on_epoch_begin(self) -> None:
        """Forwards the call."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Forwards the call."""
        self.dataset.on_epoch_end()


def _error(name: str, wrong: Any, size: int) -> ValueError:
    return ValueError(
        f"input {name!r} holds the id {wrong}, which is outside its table of "
        f"{size} rows: ids must be integers from 0 to {size - 1}. Encode the "
        "data with the encoder whose schema the model was built from."
    )


def _on_host(ids: Any) -> Any:
    """Returns ids as an array, or `None` if symbolic or on a device."""
    if ids is None or isinstance(ids, np.ndarray):
        return ids
    device = str(getattr(ids, "device", "cpu")).lower()
    if "cpu" not in device or keras.utils.is_keras_tensor(ids):
        return None
    try:
        return np.asarray(ids)
    except Exception:  # symbolic: traced or compiled
        return None
