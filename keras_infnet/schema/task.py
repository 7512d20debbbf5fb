"""Tasks: labels to predict."""

import dataclasses
import math

from keras_infnet.schema.value_checks import check_choice, check_name

__all__ = ["Task"]


@dataclasses.dataclass(frozen=True)
class Task:
    """A label to predict: one output of the model.

    Args:
        name: string. Model output.
        kind: `"binary"` (labels 0 and 1, sigmoid output) or `"regression"`
            (any real label, linear output). Defaults to `"binary"`.
        weight: float. Weight of the task's loss. Defaults to `1.0`.
        label: string or `None`. Column of the label; NaN means "not
            observed". `None` means the name. Defaults to `None`.
        given: string or `None`. Name of a binary task. This task is trained
            and evaluated only where that label is 1. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> Task("purchase", given="click").label_column
    'purchase'
    """

    name: str
    kind: str = "binary"
    weight: float = 1.0
    label: str | None = None
    given: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "task")
        check_choice(
            self.kind, ("binary", "regression"), f"kind of task {self.name!r}"
        )
        if (
            isinstance(self.weight, bool)
            or not isinstance(self.weight, (int, float))
            or not math.isfinite(self.weight)
            or self.weight < 0
        ):
            raise ValueError(
                f"weight of task {self.name!r} must be a finite number of at "
                f"least 0. Received: {self.weight!r}."
            )
        object.__setattr__(self, "weight", float(self.weight))
        if self.label is not None and (
            not isinstance(self.label, str) or not self.label
        ):
            raise ValueError(
                f"label of task {self.name!r} must be the name of a column. "
                f"Received: {self.label!r}."
            )

    @property
    def label_column(self) -> str:
        """Column that holds the label."""
        return self.label or self.name
