"""Learning rate schedules."""

import math
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.utils.argument_checks import check_number

__all__ = ["ScaledRate", "WarmUp"]


@export("keras_infnet.training.WarmUp")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant or cosine decay to zero.

    `rate(step) = learning_rate * min(1, (step + 1) / warmup_steps)`; with
    `decay_steps` the rate then decays along half a cosine and stays at zero.

    Args:
        learning_rate: float. Rate after the warm-up.
        warmup_steps: integer. Steps of the warm-up; `0` for none. Defaults
            to `0`.
        decay_steps: integer or `None`. Steps of the decay, after the warm-up;
            `None` keeps the rate constant. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> rate = WarmUp(0.1, warmup_steps=10)
    >>> [round(float(rate(step)), 3) for step in (0, 4, 9, 100)]
    [0.01, 0.05, 0.1, 0.1]
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_steps: int = 0,
        decay_steps: int | None = None,
    ) -> None:
        super().__init__()
        check_number("learning_rate", learning_rate, above=0.0)
        check_number("warmup_steps", warmup_steps, kind=int)
        if decay_steps is not None:
            check_number("decay_steps", decay_steps, above=0, kind=int)
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.decay_steps = decay_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rate = ops.minimum(1.0, (step + 1.0) / max(self.warmup_steps, 1))
        if self.decay_steps is not None:
            progress = (step - self.warmup_steps) / self.decay_steps
            progress = ops.clip(progress, 0.0, 1.0)
            rate = rate * 0.5 * (1.0 + ops.cos(math.pi * progress))
        return self.learning_rate * rate

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "warmup_steps": self.warmup_steps,
            "decay_steps": self.decay_steps,
        }


@export("keras_infnet.training.ScaledRate")
class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """Schedule multiplied by a factor: `rate(step) = factor * schedule(step)`.

    Args:
        schedule: Keras schedule of learning rates.
        factor: float, above 0.

    Raises:
        ValueError: If the factor is not a positive number.

    Example:

    >>> from keras_infnet.training import WarmUp
    >>> rate = ScaledRate(WarmUp(0.1, warmup_steps=10), 0.5)
    >>> [round(float(rate(step)), 3) for step in (0, 9)]
    [0.005, 0.05]
    """

    def __init__(self, schedule: Any, factor: float) -> None:
        super().__init__()
        check_number("factor", factor, above=0.0)
        if isinstance(schedule, dict):
            schedule = keras.saving.deserialize_keras_object(schedule)
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        return self.factor * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}
