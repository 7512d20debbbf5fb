"""Calibration of the predictions of all tasks of a model."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_infnet.schema import Schema, nearest_name
from keras_infnet.serving.calibration.task_calibration import (
    TaskCalibration,
    check_keys,
)
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.json_values import json_safe

__all__ = [
    "CALIBRATION_FILE",
    "Calibration",
    "check_binary",
    "sampling_rates",
]

#: Name of the file in a version folder.
CALIBRATION_FILE = "calibration.json"

_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Calibration of the predictions of a model, task by task.

    `keras_infnet.serving.calibrate` fits one on labeled rows,
    `Calibration.for_sampling` computes one from the share of negatives kept
    in training, and `keras_infnet.serving.export(calibration=...)` makes it
    part of the served graph. First `p / (p + (1 - p) / negative_rate)`
    corrects the sampling of negatives, then the fitted calibrator is applied.
    Logits are clipped to [-17, 17], probabilities of 4.1e-8 and 1 - 4.1e-8,
    so that those of 0 and 1 are finite.

    Args:
        tasks: sequence of `TaskCalibration`. Other tasks are not changed.

    Raises:
        ValueError: If a task is given twice.

    Example:

    >>> from keras_infnet.serving.calibration.calibrators import Platt
    >>> calibration = Calibration(
    ...     [TaskCalibration("click", calibrator=Platt(1.0, -1.0))]
    ... )
    >>> calibration.apply({"click": [[0.5]], "like": [[0.5]]})["click"]
    array([[0.26894143]], dtype=float32)
    """

    tasks: tuple[TaskCalibration, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        if len(set(self.task_names)) < len(self.tasks):
            raise ValueError(
                "every task can be calibrated once. Received: "
                f"{', '.join(self.task_names)}."
            )

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the calibrated tasks."""
        return tuple(task.task for task in self.tasks)

    def task(self, name: str) -> TaskCalibration:
        """Returns the calibration of a task."""
        for task in self.tasks:
            if task.task == name:
                return task
        raise ValueError(nearest_name(name, self.task_names, "task"))

    @classmethod
    def for_sampling(
        cls, schema: Schema, negative_rate: float | Mapping[str, float]
    ) -> "Calibration":
        """Corrects for negatives that were dropped from the training rows.

        If all positives of a task and a random share `w` of its negatives were
        kept, the model learns odds that are `1 / w` times too high;
        `p / (p + (1 - p) / w)` are the probabilities on all rows. No rows are
        needed.

        For a task with `given`, the rate refers to the rows where the label of
        that task is 1. A single number does not apply to such tasks: dropping
        impressions without a click drops no row on which
        `Task("purchase", given="click")` is trained. Name them in a mapping
        if their negatives were dropped too. If rows were dropped by the label
        of one of several tasks, name only that task: rows of the others were
        dropped with positives among them, and the formula does not hold.

        Args:
            schema: `keras_infnet.schema.Schema` of the model.
            negative_rate: float above 0, at most 1, for every binary task
                without `given`, or a mapping of task name to float.

        Returns:
            A `Calibration`.

        Raises:
            ValueError: If a task is unknown or not binary, or a rate is out
                of range.

        Example:

        >>> from keras_infnet.schema import Categorical, Task
        >>> tasks = [Task("click"), Task("buy", given="click")]
        >>> schema = Schema([Categorical("item")], tasks)
        >>> calibration = Calibration.for_sampling(schema, 0.25)
        >>> calibration.task_names
        ('click',)
        >>> calibration.apply({"click": [0.5]})["click"]
        array([0.2], dtype=float32)
        """
        rates = sampling_rates(schema, negative_rate)
        return cls(tuple(TaskCalibration(*pair) for pair in rates.items()))

    def apply(self, predictions: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Calibrates the predictions of `Model.predict`.

        Args:
            predictions: mapping of task name to array of any shape.

        Returns:
            Dict of the same names and shapes: float32 arrays for calibrated
            tasks, unchanged ones for the others.

        Raises:
            ValueError: If a calibrated task has no predictions, or they are
                not probabilities.
        """
        out = {name: np.asarray(array) for name, array in predictions.items()}
        for task in self._tasks_of(predictions):
            out[task.task] = task.apply(predictions[task.task])
        return out

    def apply_nearby(
        self, predictions: Mapping[str, Any], distance: float
    ) -> Iterator[dict[str, np.ndarray]]:
        """Calibrates shifted predictions, of one task at a time.

        Args:
            predictions: as for `apply`.
            distance: float. Shift of the probabilities, within `[0, 1]`.

        Yields:
            The result of `apply`, for each calibrated task shifted down and
            then up.
        """
        out = self.apply(predictions)
        for task in self.tasks:
            values = np.asarray(predictions[task.task], np.float32)
            for shift in (-distance, distance):
                moved = np.clip(values + np.float32(shift), 0.0, 1.0)
                yield {**out, task.task: task.apply(moved)}

    def apply_tensors(self, predictions: Mapping[str, Any]) -> dict[str, Any]:
        """Calibrates predictions in a TensorFlow graph.

        Args:
            predictions: mapping of task name to float32 tensor of any shape.

        Returns:
            Dict of the same names and shapes.

        Raises:
            ValueError: If a calibrated task has no predictions.
        """
        out = dict(predictions)
        for task in self._tasks_of(predictions):
            out[task.task] = task.apply_tensor(predictions[task.task])
        return out

    def check(self, schema: Schema) -> None:
        """Checks that all calibrated tasks are binary tasks of a schema.

        Args:
            schema: `keras_infnet.schema.Schema`.

        Raises:
            ValueError: If a task is unknown or not binary.
        """
        check_binary(schema, self.task_names)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        return {
            "format": _FORMAT,
            "tasks": {t.task: json_safe(t.to_dict()) for t in self.tasks},
        }

    @classmethod
    def from_dict(cls, config: Any) -> "Calibration":
        """Creates a calibration from the result of `to_dict`.

        Args:
            config: mapping.

        Returns:
            A `Calibration`.

        Raises:
            ValueError: If a key is missing or unknown, or a value is out of
                range.
        """
        config = check_keys(config, ("format", "tasks"), "a calibration")
        if config["format"] != _FORMAT:
            raise ValueError(
                f"the format must be {_FORMAT}. Received: "
                f"{config['format']!r}. Another version of keras_infnet wrote "
                "it."
            )
        if not isinstance(config["tasks"], Mapping):
            raise ValueError(
                f"`tasks` must be a table. Received: {config['tasks']!r}."
            )
        tasks = []
        for name, part in config["tasks"].items():
            try:
                tasks.append(TaskCalibration.from_dict(name, part))
            except ValueError as error:
                raise ValueError(f"task {name!r}: {error}") from error
        return cls(tuple(tasks))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a JSON file, usually `calibration.json`, in one step."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Calibration":
        """Reads a file that `save` wrote."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            return cls.from_dict(json.loads(text))
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    def _tasks_of(
        self, predictions: Mapping[str, Any]
    ) -> tuple[TaskCalibration, ...]:
        for name in self.task_names:
            if name not in predictions:
                raise ValueError(
                    "a calibrated task has no predictions: "
                    f"{nearest_name(name, predictions, 'task')}"
                )
        return self.tasks


def check_binary(schema: Schema, names: Iterable[str]) -> None:
    """Raises `ValueError` unless all names are those of binary tasks."""
    for name in names:
        if name not in schema.task_names:
            raise ValueError(nearest_name(name, schema.task_names, "task"))
        kind = schema.task(name).kind
        if kind != "binary":
            raise ValueError(
                f"task {name!r} must be binary, since only probabilities are "
                f"calibrated. Received: a {kind} task. Omit it."
            )


def sampling_rates(
    schema: Schema, negative_rate: float | Mapping[str, float] | None
) -> dict[str, float]:
    """Returns the share of kept negatives of each binary task."""
    if negative_rate is None:
        return {}
    if isinstance(negative_rate, Mapping):
        check_binary(schema, negative_rate)
        return dict(negative_rate)
    rates = {
        task.name: negative_rate
        for task in schema.tasks
        if task.kind == "binary" and task.given is None
    }
    if not rates:
        raise ValueError(
            "a single `negative_rate` applies to binary tasks without `given`, "
            "of which the schema has none. Name tasks: {'task': rate}."
        )
    return rates
