"""Calibrations as text."""

from collections.abc import Iterator

from keras_infnet.serving.calibration.calibration import Calibration
from keras_infnet.serving.calibration.calibrators import (
    Isotonic,
    Platt,
    Temperature,
)
from keras_infnet.serving.calibration.task_calibration import TaskCalibration
from keras_infnet.utils.tables import aligned_table

__all__ = ["calibration_rows", "describe_steps", "format_calibration"]

_FIGURES = (
    ("rows", "rows", ",.0f"),
    ("rate", "rate", ".4f"),
    ("calibration", "calibration", ".3f"),
    ("expected_calibration_error", "ECE", ".4f"),
    ("log_loss", "log loss", ".4f"),
    ("normalized_entropy", "NE", ".4f"),
)


def calibration_rows(calibration: Calibration) -> list[tuple[str, ...]]:
    """Returns a table of figures before and after, headings first.

    It is empty if there are no figures.
    """
    lines = [
        (task.task, side, *(format(getattr(f, n), c) for n, _, c in _FIGURES))
        for task in calibration.tasks
        for side, f in (("before", task.before), ("after", task.after))
        if f is not None
    ]
    head = ("task", "", *(heading for _, heading, _ in _FIGURES))
    return [head, *lines] if lines else []


def describe_steps(calibration: Calibration) -> Iterator[tuple[str, str]]:
    """Yields the name and the formula of every task.

    >>> tasks = [TaskCalibration("click", 0.1, Platt(1.0, -0.5))]
    >>> for _, steps in describe_steps(Calibration(tasks)):
    ...     print(steps)
    p / (p + (1 - p) / 0.1), then sigmoid(1 * logit(p) - 0.5) (platt)
    """
    for task in calibration.tasks:
        yield task.task, ", then ".join(_steps(task)) or "nothing"


def format_calibration(calibration: Calibration) -> str:
    """Describes a calibration in lines of text.

    Args:
        calibration: `Calibration`.

    Returns:
        String without a newline at the end: the formula of each task, and a
        table of figures before and after if there are any.

    Example:

    >>> tasks = [TaskCalibration("click", calibrator=Temperature(2.0))]
    >>> print(format_calibration(Calibration(tasks)))
    click: sigmoid(logit(p) / 2) (temperature)
    """
    text = [f"{task}: {steps}" for task, steps in describe_steps(calibration)]
    rows = calibration_rows(calibration)
    if rows:
        text += ["", aligned_table(rows, left=[0, 1])]
    return "\n".join(text)


def _steps(task: TaskCalibration) -> Iterator[str]:
    if task.negative_rate is not None:
        yield f"p / (p + (1 - p) / {task.negative_rate:g})"
    match task.calibrator:
        case Temperature(temperature=temperature):
            yield f"sigmoid(logit(p) / {temperature:.4g}) (temperature)"
        case Platt(slope=slope, intercept=intercept):
            sign = "-" if intercept < 0 else "+"
            yield (
                f"sigmoid({slope:.4g} * logit(p) {sign} {abs(intercept):.4g}) "
                "(platt)"
            )
        case Isotonic(thresholds=thresholds):
            yield f"linear between {len(thresholds):,} thresholds (isotonic)"
