"""Calibration of the predictions of one task."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_infnet.schema import nearest_name
from keras_infnet.serving.calibration.calibrators import (
    Calibrator,
    Isotonic,
    Platt,
    Temperature,
    undo_sampling,
)
from keras_infnet.utils.argument_checks import fits

__all__ = ["CalibrationFigures", "TaskCalibration", "check_keys"]

_METHODS: dict[str, type[Calibrator]] = {
    cls.method: cls for cls in (Temperature, Platt, Isotonic)
}


class CalibrationFigures(NamedTuple):
    """Agreement of the probabilities of a task with labels.

    `calibration` is the sum of predictions over the sum of labels; the others
    are as `keras_infnet.evaluation` defines them. `rows` is the number of
    labeled rows, `rate` the weighted mean of their labels.
    """

    rows: float
    rate: float
    calibration: float
    expected_calibration_error: float
    log_loss: float
    normalized_entropy: float


@dataclasses.dataclass(frozen=True)
class TaskCalibration:
    """Calibration of the predictions of one task.

    Args:
        task: string. Name of the task.
        negative_rate: float or `None`. Share of the negatives that were kept
            in training, corrected first. Defaults to `None`.
        calibrator: `Temperature`, `Platt`, `Isotonic` or `None`. Applied
            second. Defaults to `None`.
        before: `CalibrationFigures` of the predictions of the model, or
            `None`. Defaults to `None`.
        after: `CalibrationFigures` of calibrated predictions, or `None`.
            Defaults to `None`.

    Raises:
        ValueError: If `negative_rate` is not above 0 and at most 1.
    """

    task: str
    negative_rate: float | None = None
    calibrator: Calibrator | None = None
    before: CalibrationFigures | None = None
    after: CalibrationFigures | None = None

    def __post_init__(self) -> None:
        if self.negative_rate is not None:
            rate = self.negative_rate
            if not fits(rate, float) or not 0 < rate <= 1:
                raise ValueError(
                    f"the negative rate of task {self.task!r} must be a "
                    f"number above 0 and at most 1. Received: {rate!r}. It is "
                    "the share of the negatives that were kept."
                )
            object.__setattr__(self, "negative_rate", float(rate))

    @property
    def method(self) -> str | None:
        """Name of the method of the calibrator."""
        return None if self.calibrator is None else self.calibrator.method

    def apply(self, predictions: Any) -> np.ndarray:
        """Calibrates probabilities.

        Args:
            predictions: array of any shape, probabilities or NaN.

        Returns:
            Float32 array of the same shape.

        Raises:
            ValueError: If a value lies outside of `[0, 1]`.
        """
        # Rounded as on a server.
        values = np.asarray(predictions, np.float32).astype(np.float64)
        if ((values < 0) | (values > 1)).any():
            raise ValueError(
                f"task {self.task!r}: predictions must be probabilities in "
                f"[0, 1]. Received: values from {np.nanmin(values):.6g} to "
                f"{np.nanmax(values):.6g}. Apply the sigmoid to logits first."
            )
        if self.negative_rate is not None:
            values = undo_sampling(values, self.negative_rate)
        if self.calibrator is not None:
            values = self.calibrator.apply(values)
        return values.astype(np.float32)

    def apply_tensor(self, predictions: Any) -> Any:
        """Calibrates probabilities in a TensorFlow graph, unchecked.

        Args:
            predictions: float32 tensor of any shape.

        Returns:
            Float32 tensor of the same shape.
        """
        import tensorflow as tf

        values = tf.cast(predictions, tf.float64)
        if self.negative_rate is not None:
            values = undo_sampling(values, self.negative_rate)
        if self.calibrator is not None:
            values = self.calibrator.apply_tensor(values)
        return tf.ensure_shape(tf.cast(values, tf.float32), predictions.shape)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, without the name."""
        return {
            "negative_rate": self.negative_rate,
            "method": self.method,
            "parameters": self.calibrator
            and dataclasses.asdict(self.calibrator),
            "before": self.before and self.before._asdict(),
            "after": self.after and self.after._asdict(),
        }

    @classmethod
    def from_dict(cls, task: str, config: Any) -> "TaskCalibration":
        """Creates a calibration from the result of `to_dict`.

        Args:
            task: string. Name of the task.
            config: mapping.

        Returns:
            `TaskCalibration`.

        Raises:
            ValueError: If a key is missing or unknown, or a value is out of
                range.
        """
        keys = ("negative_rate", "method", "parameters", "before", "after")
        config = check_keys(config, keys, "the task")
        calibrator = None
        if config["method"] is not None:
            method = config["method"]
            if method not in _METHODS:
                raise ValueError(nearest_name(method, _METHODS, "method"))
            kind = _METHODS[method]
            names = [field.name for field in dataclasses.fields(kind)]
            values = check_keys(config["parameters"], names, "`parameters`")
            calibrator = kind(**values)
        figures = (_figures(config[side], side) for side in keys[3:])
        return cls(task, config["negative_rate"], calibrator, *figures)


def check_keys(config: Any, keys: Iterable[str], what: str) -> dict[str, Any]:
    """Returns a mapping as a dict; raises unless it has exactly these keys."""
    keys = list(keys)
    if not isinstance(config, Mapping) or set(config) != set(keys):
        raise ValueError(
            f"{what} must be a table of {', '.join(keys)}. Received: "
            f"{config!r}."
        )
    return dict(config)


def _figures(config: Any, side: str) -> CalibrationFigures | None:
    if config is None:
        return None
    values = check_keys(config, CalibrationFigures._fields, f"`{side}`")
    for name, value in values.items():
        if value is None:  # JSON has no NaN
            values[name] = float("nan")
        elif not fits(value, float):
            raise ValueError(f"`{name}` must be a number. Received: {value!r}.")
    return CalibrationFigures(**values)
