"""Saving and resuming the state of training."""

import contextlib
import glob
import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_infnet.training.callbacks import Logs
from keras_infnet.utils.atomic_files import write_arrays

__all__ = ["Resume", "check_run_digests", "opened_arrays", "run_digests"]

_LOG = logging.getLogger("keras_infnet")

# Attributes of batches that decide which rows a batch holds.
_ORDER = ("num_rows", "batch_size", "seed", "shuffle", "window")


class Resume(keras.callbacks.Callback):
    """Saves the state of training and resumes from it.

    The state is saved after every epoch, and with `save_every` also within
    epochs. It consists of all variables of model (including random seeds) and
    optimizer, the finished epochs and steps, and the state of callbacks with
    `state` and `load_state`. If the order of rows depends only on the epoch, a
    resumed run gives the results of an uninterrupted one; within an epoch,
    batches that were already trained on are read and skipped. Keras callbacks
    that count epochs, such as `ReduceLROnPlateau`, restart their count. The
    file is replaced atomically and deleted when training is complete. Put this
    callback after all others.

    Args:
        path: string. File to write, ending in `.npz`.
        batches: object whose attribute `epoch` sets the order of rows, such as
            `keras_infnet.data.Batches`, or `None`. Defaults to `None`.
        callbacks: callbacks whose state is saved. Defaults to `()`.
        save_every: integer or `None`. Number of steps between saves within an
            epoch. A file is as large as all variables. Defaults to `None`.

    Raises:
        ValueError: If the file is damaged, or was written with another model,
            optimizer, order of rows, or encoder of `batches`.

    Example:

    >>> Resume("runs/example/resume.npz").finished_epochs
    0
    """

    def __init__(
        self,
        path: Any,
        batches: Any = None,
        callbacks: Any = (),
        save_every: int | None = None,
    ) -> None:
        super().__init__()
        self.path = os.fspath(path)
        self.batches = batches
        self.stateful = [c for c in callbacks if hasattr(c, "load_state")]
        self.save_every = save_every
        self.finished_epochs = 0
        self._run_digests: dict[str, str] | None = None
        self._finished_steps = 0
        self._metrics: list[Any] = []
        self._batch: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._finished_steps = 0
        # Before callbacks change the learning rate.
        self._run_digests = run_digests(self.model, self.batches)
        if not os.path.exists(self.path):
            return
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        check_run_digests(self.path, self._run_digests)
        with opened_arrays(self.path) as arrays:
            self._restore(arrays)
        # As Keras's BackupAndRestore: `fit` starts at this epoch.
        self.model._initial_epoch = self.finished_epochs
        step = self._finished_steps
        _LOG.info(
            "%s: training resumes after epoch %d%s.",
            self.path,
            self.finished_epochs,
            f" and {step} steps" if step else "",
        )

    def _restore(self, arrays: Any) -> None:
        # One array at a time, since all together are as large as the model.
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{i}"])
        for i, callback in enumerate(self.stateful):
            prefix = f"callback_{i}/"
            callback.load_state(
                {
                    name.removeprefix(prefix): arrays[name]
                    for name in arrays
                    if name.startswith(prefix)
                }
            )
        self.finished_epochs = int(arrays["epochs"])
        self._finished_steps = int(arrays["steps"])
        count = sum(name.startswith("metric_") for name in arrays)
        self._metrics = [arrays[f"metric_{i}"] for i in range(count)]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.batches is not None:
            self.batches.epoch = epoch
        if self._finished_steps:
            self._skip_steps()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        done = batch + 1
        if self._finished_steps:
            if done >= self._finished_steps:
                self._stop_skipping()
            return
        every = self.save_every
        # `on_epoch_end` saves the state of the last step.
        if every and done % every < self._steps_per_call() and done >= every:
            if done != (self.params or {}).get("steps"):
                self._save(self.finished_epochs, done)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.finished_epochs = epoch + 1
        self._save(epoch + 1, 0)

    def _steps_per_call(self) -> int:
        return int(getattr(self.model, "steps_per_execution", 1))

    def _skip_steps(self) -> None:
        """Makes the first steps read their batches and skip training."""
        backend = keras.backend.backend()
        # After an interruption this is still the function that skips.
        function = self.model.train_function
        self._train_function = getattr(function, "trains", function)

        def skip(*args: Any) -> Any:
            if backend == "torch":
                self._batch = args[0][0]
            else:
                for _ in range(self._steps_per_call()):
                    self._batch = next(args[-1])
            return ({}, args[0]) if backend == "jax" else {}

        skip.trains = self._train_function  # type: ignore[attr-defined]
        self.model.train_function = skip

    def _stop_skipping(self) -> None:
        """Continues training, with the saved state of metrics."""
        self._sync()
        if len(self.model.metrics_variables) != len(self._metrics):
            # They would otherwise be created in the first training step.
            self.model._symbolic_build(data_batch=self._batch)
        self._batch = None
        for variable, value in zip(
            self.model.metrics_variables, self._metrics, strict=True
        ):
            variable.assign(value)
        self.model.train_function = self._train_function
        self._finished_steps = 0
        self._metrics = []

    def _sync(self) -> None:
        # Between steps on JAX, variables do not hold the current values.
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()

    def _save(self, epochs: int, steps: int) -> None:
        self._sync()
        if self._run_digests is None:
            self._run_digests = run_digests(self.model, self.batches)
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        write_arrays(self.path, self._arrays(epochs, steps))

    def _arrays(
        self, epochs: int, steps: int
    ) -> Iterator[tuple[str, np.ndarray]]:
        yield "signature", np.array(json.dumps(self._run_digests))
        yield "epochs", np.array(epochs)
        yield "steps", np.array(steps)
        for i, variable in enumerate(self._variables()):
            yield f"variable_{i}", _portable(variable)
        if steps:
            for i, variable in enumerate(self.model.metrics_variables):
                yield f"metric_{i}", _portable(variable)
        for i, callback in enumerate(self.stateful):
            for name, value in callback.state().items():
                yield f"callback_{i}/{name}", value

    def on_train_end(self, logs: Logs = None) -> None:
        # Killed processes leave temporary files.
        for path in glob.glob(f"{glob.escape(self.path)}.*.tmp"):
            os.remove(path)
        if os.path.exists(self.path):
            os.remove(self.path)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]


@contextlib.contextmanager
def opened_arrays(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens a file of arrays, which are read on access."""
    try:
        # NumPy does not close files that it cannot read.
        with (
            open(path, "rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            yield arrays
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read: {error}. Delete it to train from the "
            "start."
        ) from error


def check_run_digests(
    path: str | os.PathLike[str], expected: dict[str, str]
) -> None:
    """Raises unless the run digests of a saved training are `expected`."""
    with opened_arrays(path) as arrays:
        written = json.loads(str(arrays["signature"]))
    other = [part for part in expected if expected[part] != written.get(part)]
    if other:
        raise ValueError(
            f"{path} belongs to an unfinished training with another "
            f"{' and '.join(other)}. Delete it to train from the start, or "
            "restore the settings and data of that training."
        )


def run_digests(model: Any, batches: Any) -> dict[str, str]:
    """Returns digests of what a resumed run must share with the saved one."""
    serialize = keras.saving.serialize_keras_object
    return {
        "model": _digest(
            [
                serialize(model)["config"],
                [[list(v.shape), str(v.dtype)] for v in model.variables],
            ]
        ),
        "optimizer": _digest(serialize(model.optimizer)),
        "order of rows": _digest(
            {name: getattr(batches, name, None) for name in _ORDER}
        ),
        "encoder": _digest(getattr(batches, "fingerprint", None)),
    }


def _digest(value: Any) -> str:
    text = json.dumps(_nameless(value), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _nameless(value: Any) -> Any:
    """Drops names, which Keras numbers per process."""
    if isinstance(value, dict):
        return {k: _nameless(v) for k, v in value.items() if k != "name"}
    if isinstance(value, (list, tuple)):
        return [_nameless(item) for item in value]
    return value


def _portable(variable: Any) -> np.ndarray:
    value = ops.convert_to_numpy(variable.value)
    # NumPy files do not support bfloat16; float32 represents it exactly.
    return value.astype("float32") if value.dtype.kind == "V" else value
