"""Early stopping that restores the best weights."""

import logging
import math
from typing import Any

import keras
import numpy as np

from keras_infnet.training.callbacks import Logs

__all__ = ["BestWeights"]

_LOG = logging.getLogger("keras_infnet")


class BestWeights(keras.callbacks.Callback):
    """Restores the weights of the best validation; can stop training early.

    The callback stores the weights that were validated (averages, if an
    `AveragedWeights` comes *after* it) and restores them when training ends.
    Validations whose metric is NaN, because no task has both classes, are
    reported once and do not count for `patience`.

    Args:
        monitor: string. Name in the logs. Defaults to `"val_mean_auc"`.
        mode: `"max"` or `"min"`. Defaults to `"max"`.
        patience: integer or `None`. Validations without improvement before
            training stops; `None` never stops. Defaults to `None`.
        min_delta: float. Changes up to this size are no improvement. Defaults
            to `0.0`.

    Raises:
        ValueError: If `mode` is unknown.

    Example:

    >>> BestWeights(patience=5).monitor
    'val_mean_auc'
    """

    def __init__(
        self,
        monitor: str = "val_mean_auc",
        mode: str = "max",
        patience: int | None = None,
        min_delta: float = 0.0,
    ) -> None:
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(
                f"`mode` must be 'max' or 'min'. Received: mode={mode!r}."
            )
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.min_delta = min_delta
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.waited = 0
        self.best_weights: list[Any] | None = None
        self._validated: list[Any] | None = None
        self._warned = False

    def on_test_end(self, logs: Logs = None) -> None:
        self._validated = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        validated, self._validated = self._validated, None
        value = float((logs or {}).get(self.monitor, math.nan))
        if validated is not None and self._is_better(value):
            self.best, self.best_epoch = value, epoch
            self.best_weights = validated
            self.waited = 0
            return
        if math.isnan(value):
            if validated is not None and not self._warned:
                _LOG.warning(
                    "%s is undefined, so this validation cannot determine "
                    "the best weights.",
                    self.monitor,
                )
                self._warned = True
            return
        self.waited += 1
        if self.patience is not None and self.waited >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        elif not self._warned:
            _LOG.warning(
                "%s was never logged: the last weights are kept.",
                self.monitor,
            )

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        gain = value - self.best if self.mode == "max" else self.best - value
        return gain > self.min_delta

    def state(self) -> dict[str, np.ndarray]:
        """Returns the state for a resumed run, as arrays by name."""
        state = {
            "waited": np.array(self.waited),
            "best": np.array(math.nan if self.best is None else self.best),
            "epoch": np.array(
                -1 if self.best_epoch is None else self.best_epoch
            ),
        }
        for i, weight in enumerate(self.best_weights or []):
            state[f"weight_{i}"] = np.asarray(weight)
        return state

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Restores the result of `state`."""
        self.waited = int(state["waited"])
        best, epoch = float(state["best"]), int(state["epoch"])
        self.best = None if math.isnan(best) else best
        self.best_epoch = None if epoch < 0 else epoch
        count = sum(name.startswith("weight_") for name in state)
        self.best_weights = [state[f"weight_{i}"] for i in range(count)] or None
