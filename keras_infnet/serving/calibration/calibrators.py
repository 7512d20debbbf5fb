"""Functions that calibrate a probability, in NumPy and TensorFlow.

They compute in float64, so that float32 results agree to the last digit even
if a function is steep.
"""

import dataclasses
import itertools
import math
from typing import Any, ClassVar

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from keras_infnet.utils.argument_checks import check_number, fits

__all__ = [
    "LARGEST_LOGIT",
    "Calibrator",
    "Isotonic",
    "Platt",
    "Temperature",
    "logits",
    "undo_sampling",
]

#: Bound of logits, probabilities of 4.1e-8 and 1 - 4.1e-8. Different float32
#: numbers below 1 stay different.
LARGEST_LOGIT = 17.0


def logits(probabilities: Any) -> np.ndarray:
    """Returns `log(p) - log(1 - p)`, clipped to -17 and 17.

    >>> logits([0.0, 0.5, 1.0])
    array([-17.,   0.,  17.])
    """
    found = special.logit(np.asarray(probabilities, np.float64))
    return np.clip(found, -LARGEST_LOGIT, LARGEST_LOGIT)


def undo_sampling(probabilities: Any, rate: float) -> Any:
    """Corrects for a share of kept negatives: `p / (p + (1 - p) / rate)`.

    >>> undo_sampling(np.array([0.0, 0.5, 1.0]), 0.25)
    array([0. , 0.2, 1. ])
    """
    return probabilities / (probabilities + (1 - probabilities) / rate)


@dataclasses.dataclass(frozen=True)
class Temperature:
    """Temperature scaling: `sigmoid(logit(p) / temperature)`.

    Keeps one half and the order of rows.

    Args:
        temperature: float above 0. Above 1, predictions move toward one half.

    Raises:
        ValueError: If it is not above 0.

    Example:

    >>> Temperature(2.0).apply(np.array([0.1, 0.5, 0.9]))
    array([0.25, 0.5 , 0.75])
    """

    method: ClassVar[str] = "temperature"
    temperature: float

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, above=0.0)

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        return special.expit(logits(probabilities) / self.temperature)

    def apply_tensor(self, probabilities: Any) -> Any:
        import tensorflow as tf

        return tf.sigmoid(_logits_tensor(probabilities) / self.temperature)


@dataclasses.dataclass(frozen=True)
class Platt:
    """Platt scaling: `sigmoid(slope * logit(p) + intercept)`.

    Keeps the order of rows, since the slope is positive.

    Args:
        slope: float above 0.
        intercept: float.

    Raises:
        ValueError: If the slope is not above 0, or a number is not finite.

    Example:

    >>> Platt(slope=1.0, intercept=0.0).apply(np.array([0.25, 0.5]))
    array([0.25, 0.5 ])

    Reference:
    - Platt, 1999, Probabilistic outputs for support vector machines
    """

    method: ClassVar[str] = "platt"
    slope: float
    intercept: float

    def __post_init__(self) -> None:
        check_number("slope", self.slope, above=0.0)
        _check_finite("intercept", self.intercept)

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        return special.expit(
            self.slope * logits(probabilities) + self.intercept
        )

    def apply_tensor(self, probabilities: Any) -> Any:
        import tensorflow as tf

        scores = self.slope * _logits_tensor(probabilities) + self.intercept
        return tf.sigmoid(scores)


@dataclasses.dataclass(frozen=True)
class Isotonic:
    """Non-decreasing function, linear between thresholds, constant beyond.

    Keeps the order of rows but creates ties: different predictions may become
    equal, so that an AUC can decrease, and some may become exactly 0 or 1.

    Args:
        thresholds: tuple of floats, increasing. Probabilities.
        values: tuple of floats in `[0, 1]`, non-decreasing: the result at
            each threshold.

    Raises:
        ValueError: If there are no thresholds, their number differs from
            that of `values`, a number is not finite, thresholds do not
            increase, or values decrease or lie outside `[0, 1]`.

    Example:

    >>> step = Isotonic((0.2, 0.4), (0.0, 0.5))
    >>> step.apply(np.array([0.1, 0.3, 0.9]))
    array([0.  , 0.25, 0.5 ])
    """

    method: ClassVar[str] = "isotonic"
    thresholds: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("thresholds", "values"):
            numbers = getattr(self, name)
            if not isinstance(numbers, (list, tuple)):
                raise ValueError(
                    f"`{name}` must be a list of numbers. Received: {numbers!r}"
                )
            for number in numbers:
                _check_finite(name, number)
            object.__setattr__(self, name, tuple(map(float, numbers)))
        if not self.thresholds or len(self.thresholds) != len(self.values):
            raise ValueError(
                "there must be as many `values` as `thresholds`, at least "
                f"one. Received: {len(self.values)} and "
                f"{len(self.thresholds)}."
            )
        if any(a >= b for a, b in itertools.pairwise(self.thresholds)):
            raise ValueError("`thresholds` must increase.")
        if any(a > b for a, b in itertools.pairwise(self.values)):
            raise ValueError("`values` must not decrease.")
        if self.values[0] < 0 or self.values[-1] > 1:
            raise ValueError(
                "`values` must be probabilities in [0, 1]. Received: values "
                f"from {self.values[0]:g} to {self.values[-1]:g}."
            )

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        found = np.interp(probabilities, self.thresholds, self.values)
        # With a single threshold NaN would become its value.
        return np.where(np.isnan(probabilities), np.nan, found)

    def apply_tensor(self, probabilities: Any) -> Any:
        import tensorflow as tf

        # The last segment is constant.
        rises = np.diff([*self.values, self.values[-1]])
        slopes = rises / np.diff([*self.thresholds, self.thresholds[-1] + 1])
        at, height, rise = (
            tf.constant(numbers, tf.float64)
            for numbers in (self.thresholds, self.values, slopes)
        )
        inside = tf.clip_by_value(probabilities, at[0], at[-1])
        below = tf.searchsorted(at, tf.reshape(inside, [-1]), side="right") - 1
        # The place of NaN is invalid; the result is NaN all the same.
        below = tf.reshape(tf.maximum(below, 0), tf.shape(inside))
        start, base, slope = (
            tf.gather(numbers, below) for numbers in (at, height, rise)
        )
        return base + slope * (inside - start)


Calibrator = Temperature | Platt | Isotonic


def _logits_tensor(probabilities: Any) -> Any:
    import tensorflow as tf

    found = tf.math.log(probabilities) - tf.math.log1p(-probabilities)
    return tf.clip_by_value(found, -LARGEST_LOGIT, LARGEST_LOGIT)


def _check_finite(name: str, value: Any) -> None:
    if not fits(value, float) or not math.isfinite(value):
        raise ValueError(
            f"`{name}` must be finite numbers. Received: {value!r}."
        )
