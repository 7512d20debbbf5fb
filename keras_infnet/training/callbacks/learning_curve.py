"""The training loss within epochs."""

from typing import Any

import keras
import numpy as np

from keras_infnet.training.callbacks import Logs

__all__ = ["LearningCurve"]


class LearningCurve(keras.callbacks.Callback):
    """Records the training loss several times per epoch.

    A point is the mean loss of the rows since the previous point, computed
    before the step that learns from them: in the first epoch, the loss on
    unseen rows. It is the sum of the losses of the tasks, without penalties
    and auxiliary losses, so that curves of different models are comparable. A
    last batch that is not full is left out.

    Args:
        batches: `keras_infnet.data.Batches` of the training rows.
        points: integer. Maximum number of points per epoch. Defaults to `40`.

    Raises:
        ValueError: If `points` is not positive.

    Example:

    >>> import types
    >>> curve = LearningCurve(types.SimpleNamespace(num_rows=6, batch_size=2))
    >>> for step, mean in enumerate([0.75, 0.5, 0.5]):
    ...     curve.on_train_batch_end(step, {"loss": mean})
    >>> curve.rows, curve.loss
    ([2, 4, 6], [0.75, 0.25, 0.5])
    """

    def __init__(self, batches: Any, points: int = 40) -> None:
        super().__init__()
        if points < 1:
            raise ValueError(
                f"`points` must be a positive integer. Received: {points}."
            )
        self.num_rows = int(batches.num_rows)
        self.batch_size = int(batches.batch_size)
        # Keras averages the total loss over rows but, on TensorFlow, the loss
        # of a task over batches. Both are equal as long as batches are full.
        self.steps = max(1, self.num_rows // self.batch_size)
        self.every = -(-self.steps // points)
        self.rows: list[int] = []
        self.loss: list[float] = []
        self._epoch = 0
        self._done = 0
        self._sum = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        self.rows, self.loss = [], []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        if not self._resumed(epoch):
            self._done, self._sum = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        mean = _task_loss(logs or {}, getattr(self.model, "schema", None))
        done = batch + 1
        due = done - self._done >= self.every or done == self.steps
        if mean is None or not due or not self._done < done <= self.steps:
            return
        read = min(done * self.batch_size, self.num_rows)
        self.rows.append(self._epoch * self.num_rows + read)
        self.loss.append((mean * done - self._sum) / (done - self._done))
        self._done, self._sum = done, mean * done

    def _resumed(self, epoch: int) -> bool:
        """Whether this epoch already has a point."""
        return bool(self.rows) and self.rows[-1] > epoch * self.num_rows

    def state(self) -> dict[str, np.ndarray]:
        """Returns the state for a resumed run, as arrays by name."""
        return {
            "rows": np.array(self.rows, "int64"),
            "loss": np.array(self.loss, "float64"),
            "done": np.array(self._done),
            "sum": np.array(self._sum),
        }

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Restores the result of `state`."""
        self.rows = state["rows"].tolist()
        self.loss = state["loss"].tolist()
        self._done, self._sum = int(state["done"]), float(state["sum"])


def _task_loss(logs: dict[str, Any], schema: Any) -> float | None:
    names = [f"{task}_loss" for task in getattr(schema, "task_names", ())]
    # Keras logs no separate loss for a single output.
    if not names or any(name not in logs for name in names):
        names = ["loss"]
    if any(name not in logs for name in names):
        return None
    return sum(float(logs[name]) for name in names)
