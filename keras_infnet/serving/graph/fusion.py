"""Fusion of the predictions of several tasks into one score."""

import ast
import json
import math
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from keras_infnet.schema import nearest_name
from keras_infnet.utils.atomic_files import write_text

__all__ = ["Fusion", "product_of_powers", "weighted_sum"]

_OPERATORS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.USub: "negative",
}
# Names in NumPy and in `tf.math` that differ from the first column.
_NAMES = {
    "min": ("minimum", "minimum"),
    "max": ("maximum", "maximum"),
    "power": ("power", "pow"),
}
_CALLED = {"exp": 1, "log": 1, "sqrt": 1, "abs": 1, "min": 2, "max": 2}
_DEEPEST = 200


def weighted_sum(weights: Mapping[str, float]) -> str:
    """Returns the expression `w1 * task1 + w2 * task2 + ...`.

    Args:
        weights: mapping of task name to a number.

    Returns:
        String, for `Fusion`.

    Raises:
        ValueError: If there is no weight, or one is not a finite number.

    Example:

    >>> weighted_sum({"click": 1, "like": 5.5})
    '1.0 * click + 5.5 * like'
    """
    _check_numbers(weights)
    return " + ".join(
        f"{_literal(weight)} * {task}" for task, weight in weights.items()
    )


def product_of_powers(powers: Mapping[str, float]) -> str:
    """Returns the expression `task1 ** p1 * task2 ** p2 * ...`.

    Args:
        powers: mapping of task name to a number.

    Returns:
        String, for `Fusion`.

    Raises:
        ValueError: If there is no power, or one is not a finite number.

    Example:

    >>> product_of_powers({"click": 1, "long_view": 0.5})
    'click ** 1.0 * long_view ** 0.5'
    """
    _check_numbers(powers)
    return " * ".join(
        f"{task} ** {_literal(power)}" for task, power in powers.items()
    )


def _check_numbers(numbers: Mapping[str, float]) -> None:
    if not numbers or not all(
        isinstance(number, (int, float, np.integer, np.floating))
        and not isinstance(number, bool)
        and math.isfinite(number)
        for number in numbers.values()
    ):
        raise ValueError(
            "name at least one task, with a finite number. Received: "
            f"{dict(numbers)}."
        )


def _literal(number: float) -> str:
    text = repr(float(number))
    return f"({text})" if text.startswith("-") else text


class Fusion:
    """An expression over tasks that gives the score of a candidate.

    It may contain names of tasks, numbers, `+ - * / **`, parentheses, and the
    functions `exp`, `log`, `sqrt`, `abs`, `min` and `max` (of two). Candidates
    for which it is not finite, such as the logarithm of 0, come last: their
    score is the lowest float.

    Args:
        expression: string.
        tasks: names of the tasks that it may contain.

    Raises:
        ValueError: If the expression cannot be parsed, names no task or an
            unknown one, or contains anything else.

    Example:

    >>> fusion = Fusion("click * (1 + 5 * like)", ["click", "like"])
    >>> fusion.apply({"click": np.array([0.5]), "like": np.array([0.2])})
    array([1.], dtype=float32)
    """

    def __init__(self, expression: str, tasks: Iterable[str]) -> None:
        if not isinstance(expression, str):
            raise ValueError(
                f"a fusion must be a string. Received: {expression!r}."
            )
        self.expression = expression
        self._used: set[str] = set()
        try:
            tree = ast.parse(expression.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._unreadable(f"{type(error).__name__}: {error}") from None
        self._evaluate = self._read(tree, tuple(tasks), 0)
        if not self._used:
            raise self._unreadable("it names no task")

    @classmethod
    def sum_of(cls, tasks: Iterable[str]) -> "Fusion":
        """Returns the fusion that adds up all tasks."""
        names = tuple(tasks)
        return cls(weighted_sum(dict.fromkeys(names, 1.0)), names)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks in the expression, sorted."""
        return tuple(sorted(self._used))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `path` as JSON, in one step."""
        content = {"expression": self.expression}
        write_text(path, json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], tasks: Iterable[str]
    ) -> "Fusion":
        """Reads a file that `save` wrote."""
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file)["expression"], tasks)

    def apply(self, predictions: Mapping[str, Any]) -> np.ndarray:
        """Computes scores with NumPy.

        Args:
            predictions: mapping of task name to float array.

        Returns:
            Float32 array of the same shape.
        """
        values = {
            task: np.asarray(predictions[task], np.float32)
            for task in self._used
        }

        def find(name: str) -> Any:
            return getattr(np, _NAMES.get(name, (name, name))[0])

        with np.errstate(all="ignore"):
            score = self._evaluate(values, find)
        return np.where(
            np.isfinite(score), score, np.finfo(np.float32).min
        ).astype(np.float32)

    def in_graph(self, predictions: Mapping[str, Any]) -> Any:
        """Computes scores with TensorFlow.

        Args:
            predictions: mapping of task name to float32 tensor.

        Returns:
            Float32 tensor of the same shape.
        """
        import tensorflow as tf

        def find(name: str) -> Any:
            return getattr(tf.math, _NAMES.get(name, (name, name))[1])

        score = self._evaluate(predictions, find)
        return tf.where(tf.math.is_finite(score), score, tf.float32.min)

    def _read(
        self, node: Any, tasks: tuple[str, ...], depth: int
    ) -> Callable[..., Any]:
        if depth > _DEEPEST:
            raise self._unreadable("it is nested too deeply")

        def call(name: str, *parts: Any) -> Callable[..., Any]:
            own = [self._read(part, tasks, depth + 1) for part in parts]
            return lambda values, find: find(name)(
                *(part(values, find) for part in own)
            )

        match node:
            case ast.Constant(value=int() | float() as number):
                if isinstance(number, bool) or not _is_finite(number):
                    raise self._unreadable(f"{number!r} is not a finite number")
                value = np.float32(number)
                return lambda values, find: value
            case ast.Name(id=name):
                if name not in tasks:
                    raise self._unreadable(nearest_name(name, tasks, "task"))
                self._used.add(name)
                return lambda values, find: values[name]
            case ast.BinOp(left=left, op=op, right=right) if (
                type(op) in _OPERATORS
            ):
                return call(_OPERATORS[type(op)], left, right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return call("negative", operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._read(operand, tasks, depth + 1)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
                if name not in _CALLED:
                    raise self._unreadable(
                        nearest_name(name, _CALLED, "function")
                    )
                if len(parts) != _CALLED[name]:
                    raise self._unreadable(
                        f"{name} takes {_CALLED[name]} values"
                    )
                return call(name, *parts)
        part = ast.get_source_segment(self.expression.strip(), node)
        raise self._unreadable(f"{_shown(part)} is not supported")

    def _unreadable(self, why: str) -> ValueError:
        return ValueError(
            f"the fusion {_shown(self.expression)} cannot be used: {why}. It "
            "may contain names of tasks, numbers, + - * / **, parentheses and "
            f"{', '.join(_CALLED)}."
        )

    def __repr__(self) -> str:
        return f"Fusion({self.expression!r})"


def _shown(text: str | None) -> str:
    return reprlib.repr(text) if text and len(text) > 200 else repr(text)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(np.float32(number))
    except OverflowError:
        return False
