"""What is done to the predictions of each task behind a served model."""

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
    """What is done to the predictions of the tasks of a model.

    `keras_infnet.serving.calibrate` finds one from labeled rows,
    `Calibration.for_sampling` computes one from what is known of the training
    rows, and `keras_infnet.serving.export(calibration=...)` makes it part of
    the served graph. First `p / (p + (1 - p) / negative_rate)` undoes that
    negatives were kept with a rate, then comes what was fitted. Logits are
    clipped to -17 and 17, probabilities of 4.1e-8 and 1 - 4.1e-8, so that 0
    and 1 have finite ones.

    Args:
        tasks: sequence of `TaskCalibration`. Other tasks stay as they are.

    Raises:
        ValueError: If a task comes twice.

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
                "a task can be calibrated once. Received: "
                f"{', '.join(self.task_names)}."
            )

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the calibrated tasks."""
        return tuple(task.task for task in self.tasks)

    def task(self, name: str) -> TaskCalibration:
        """Returns what is done to a task, or raises with the nearest name."""
        for task in self.tasks:
            if task.task == name:
                return task
        raise ValueError(nearest_name(name, self.task_names, "task"))

    @classmethod
    def for_sampling(
        cls, schema: Schema, negative_rate: float | Mapping[str, float]
    ) -> "Calibration":
        """Undoes that negatives were dropped from the training rows.

        Where all positives of a task and a share `w` of its negatives, drawn
        by chance alone, were kept, the odds that a model learns are `1 / w`
        times too high; `p / (p + (1 - p) / w)` are the probabilities on all
        rows. No rows are needed for it.

        The rate of a task with `given` is that of the negatives among the
        rows where the task counts. One number for all is therefore not meant
        for such tasks: dropping impressions without a click drops no row
        where `Task("purchase", given="click")` counts. Name them in a mapping
        where their negatives were dropped too. Where rows were dropped by the
        label of one of several tasks, name that one alone: rows of the others
        are gone with positives among them, and the closed form does not hold.

        Args:
            schema: `keras_infnet.schema.Schema` of the model.
            negative_rate: float above 0, at most 1, for every binary task
                without `given`, or a mapping of task name to float.

        Returns:
            A `Calibration`.

        Raises:
            ValueError: If a task is not known or not binary, or a rate is out
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
        """Calibrates what `Model.predict` returns.

        Args:
            predictions: mapping of task name to array of any shape.

        Returns:
            Dict of the same names and shapes: float32 arrays for calibrated
            tasks, the others as they were.

        Raises:
            ValueError: If a calibrated task has no predictions, or they are
                not probabilities.
        """
        self._check_tasks(predictions)
        out = {name: np.asarray(array) for name, array in predictions.items()}
        for task in self.tasks:
            out[task.task] = task.apply(predictions[task.task])
        return out

    def apply_nearby(
        self, predictions: Mapping[str, Any], distance: float
    ) -> Iterator[dict[str, np.ndarray]]:
        """Calibrates with one task at a time moved, down and then up.

        Args:
            predictions: as for `apply`.
            distance: float. How far probabilities are moved, within `[0, 1]`.

        Yields:
            What `apply` returns, twice a calibrated task.
        """
        out = self.apply(predictions)
        for task in self.tasks:
            values = np.asarray(predictions[task.task], np.float32)
            for shift in (-distance, distance):
                moved = np.clip(values + np.float32(shift), 0.0, 1.0)
                yield {**out, task.task: task.apply(moved)}

    def apply_tensors(self, predictions: Mapping[str, Any]) -> dict[str, Any]:
        """Does the same in a TensorFlow graph.

        Args:
            predictions: mapping of task name to float32 tensor of any shape.

        Returns:
            Dict of the same names and shapes.

        Raises:
            ValueError: If a calibrated task has no predictions.
        """
        self._check_tasks(predictions)
        out = dict(predictions)
        for task in self.tasks:
            out[task.task] = task.apply_tensor(predictions[task.task])
        return out

    def check(self, schema: Schema) -> None:
        """Checks that it was made for the tasks of a schema.

        Args:
            schema: `keras_infnet.schema.Schema`.

        Raises:
            ValueError: If a task is not known there, or not binary.
        """
        check_binary(schema, self.task_names)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data that JSON has."""
        return {
            "format": _FORMAT,
            "tasks": {t.task: json_safe(t.to_dict()) for t in self.tasks},
        }

    @classmethod
    def from_dict(cls, config: Any) -> "Calibration":
        """Builds what `to_dict` describes.

        Args:
            config: mapping.

        Returns:
            A `Calibration`.

        Raises:
            ValueError: If something is missing, not known or out of range.
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
        """Writes `path`, by custom `calibration.json`, in one step."""
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

    def _check_tasks(self, predictions: Mapping[str, Any]) -> None:
        for name in self.task_names:
            if name not in predictions:
                raise ValueError(
                    f"the calibration is for a task without predictions: "
                    f"{nearest_name(name, predictions, 'task')}"
                )


def check_binary(schema: Schema, names: Iterable[str]) -> None:
    """Raises `ValueError` unless all names are those of binary tasks."""
    for name in names:
        if name not in schema.task_names:
            raise ValueError(nearest_name(name, schema.task_names, "task"))
        kind = schema.task(name).kind
        if kind != "binary":
            raise ValueError(
                f"only probabilities are calibrated: task {name!r} must be "
                f"binary. Received: a {kind} task. Leave it out."
            )


def sampling_rates(
    schema: Schema, negative_rate: float | Mapping[str, float] | None
) -> dict[str, float]:
    """Returns the share of kept negatives by task, checked to be binary."""
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
            "one negative rate for all is that of the binary tasks without "
            "`given`, of which the schema has none. Name tasks: "
            "{'task': rate}."
        )
    return rates
