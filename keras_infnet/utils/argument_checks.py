"""Checks of types and ranges of arguments, with readable errors."""

import collections.abc
import math
import types
import typing
from collections.abc import Sequence
from typing import Any

__all__ = [
    "check_choice",
    "check_number",
    "check_positive",
    "check_positive_or_none",
    "check_rate",
    "fits",
    "in_words",
]


def fits(value: Any, hint: Any) -> bool:
    """Returns whether a value matches a type annotation.

    `True` is not a number; integers match `float`. The items of lists and
    tuples are checked too.

    Example:

    >>> fits(3, float), fits(True, int), fits([1, "a"], tuple[int, ...])
    (True, False, False)
    """
    return any(_fits(value, kind) for kind in _alternatives(hint))


def in_words(hint: Any) -> str:
    """Describes a type annotation in words.

    Example:

    >>> in_words(int | None), in_words(tuple[int, ...])
    ('an integer or left out', 'a list of int')
    """
    return " or ".join(_name(kind) for kind in _alternatives(hint))


def check_number(
    name: str,
    value: Any,
    above: float | None = None,
    below: float = math.inf,
    kind: type = float,
) -> None:
    """Raises unless a number is finite and at least 0 or above a bound.

    Example:

    >>> check_number("rate", 0.5, below=1.0)
    """
    if fits(value, kind) and value < below:
        if value >= 0 if above is None else value > above:
            return
    lower = "at least 0" if above is None else f"above {above:g}"
    upper = "finite" if below == math.inf else f"below {below:g}"
    raise ValueError(
        f"`{name}` must be {in_words(kind)}, {lower} and {upper}. "
        f"Received: {name}={value!r}."
    )


def check_positive(**values: int | Sequence[int]) -> None:
    """Raises `ValueError` unless all arguments are positive integers.

    Arguments are passed by name: integers, or lists and tuples of integers.
    """
    for name, value in values.items():
        sizes: Any = value if isinstance(value, (list, tuple)) else [value]
        for size in sizes:
            if not fits(size, int) or size < 1:
                kind = "be a positive integer"
                if size is not value:
                    kind = "hold positive integers only"
                raise ValueError(
                    f"`{name}` must {kind}. Received: {name}={value!r}."
                )


def check_positive_or_none(**values: int | Sequence[int] | None) -> None:
    """Applies `check_positive` to the arguments that are not `None`."""
    given = {n: value for n, value in values.items() if value is not None}
    check_positive(**given)


def check_rate(**values: float) -> None:
    """Raises `ValueError` unless all arguments are in `[0, 1)`."""
    for name, value in values.items():
        check_number(name, value, below=1.0)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises `ValueError` if an argument is not one of the choices."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(
            f"`{name}` must be one of {known}. Received: {name}={value!r}."
        )


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return typing.get_args(hint)
    return (hint,)


def _is_sequence(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, collections.abc.Sequence)


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if _is_sequence(kind):
        item = typing.get_args(kind)[0]
        return isinstance(value, (list, tuple)) and all(
            _fits(part, item) for part in value
        )
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, (int, float))
    return isinstance(value, typing.get_origin(kind) or kind)


def _name(kind: Any) -> str:
    if _is_sequence(kind):
        return f"a list of {typing.get_args(kind)[0].__name__}"
    if typing.get_origin(kind) is collections.abc.Mapping:
        return "a table"
    words = {int: "an integer", float: "a number", str: "a string"}
    words |= {bool: "true or false", type(None): "left out"}
    return words.get(kind, f"a {getattr(kind, '__name__', kind)}")
