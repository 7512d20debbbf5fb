"""Time of a training step in `fit`."""

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

__all__ = ["Prepared", "StepTimer", "prepared", "step_seconds"]


class Prepared(keras.utils.PyDataset):
    """Batches in memory."""

    def __init__(self, batches: Sequence[Any]) -> None:
        super().__init__(workers=0)
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


def prepared(batches: Sequence[Any]) -> Any:
    """Returns batches in the fastest form for the backend."""
    if keras.backend.backend() != "tensorflow":
        return Prepared(batches)
    import tensorflow as tf

    stacked = tuple(
        {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        for parts in zip(*batches, strict=True)
    )
    return tf.data.Dataset.from_tensor_slices(stacked).prefetch(2)


class StepTimer(keras.callbacks.Callback):
    """Measures an epoch, from its first step to the end of the last.

    JAX and GPUs return before a step is finished, so single steps cannot be
    timed. The work of `fit` before and after its epochs is not measured.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = float("nan")
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # Reading a small variable waits for the last step.
        smallest = min(
            self.model.trainable_variables, key=lambda v: np.prod(v.shape)
        )
        keras.ops.convert_to_numpy(smallest.value)
        self.seconds = time.perf_counter() - self._started


def step_seconds(model: Any, data: Any, steps: int) -> float:
    """Trains for an epoch and returns the seconds per step."""
    timer = StepTimer()
    model.fit(data, epochs=1, verbose=0, shuffle=False, callbacks=[timer])
    return timer.seconds / steps
