"""A fraction of another learning rate."""

from typing import Any

import keras

from keras_infnet.api_export import export
from keras_infnet.utils.argument_checks import check_number

__all__ = ["ScaledRate"]


@export("keras_infnet.training.ScaledRate")
class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor: `rate(step) = factor * schedule(step)`.

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
