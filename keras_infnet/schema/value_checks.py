"""Checks of the arguments of schema classes."""

import difflib
import keyword
import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "check_choice",
    "check_count",
    "check_flag",
    "check_name",
    "check_types",
    "check_unique",
    "names_in",
    "nearest_name",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def nearest_name(name: str, known: Iterable[str], what: str) -> str:
    """Returns the error message for an unknown name.

    Args:
        name: string. The name received.
        known: valid names.
        what: string. Kind of the name, for example `"field"`.

    Returns:
        String with the unknown name, the nearest valid name and all valid
        names.

    Example:

    >>> nearest_name("itm_id", ["item_id", "tab"], "field")
    "unknown field 'itm_id'. Did you mean 'item_id'? Known: item_id, tab."
    """
    names = sorted(str(n) for n in known)
    close = difflib.get_close_matches(str(name), names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(names) if names else "none"
    return f"unknown {what} {name!r}.{hint} Known: {listed}."


def check_name(name: Any, what: str) -> None:
    """Raises if `name` cannot name an input or output of a model."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise ValueError(
            f"{what} names must be a letter followed by letters, digits and "
            f"underscores, because they name model inputs and outputs. "
            f"Received: {name!r}. Rename the column before building the "
            "schema."
        )
    if keyword.iskeyword(name):
        raise ValueError(
            f"{name!r} is a word of the Python language, which TensorFlow "
            f"refuses as the name of an input. Rename the {what} before "
            "building the schema."
        )


def check_choice(value: Any, choices: tuple[str, ...], what: str) -> None:
    """Raises if a value is not one of the choices."""
    if value not in choices:
        raise ValueError(nearest_name(value, choices, what))


def check_count(value: Any, what: str, minimum: int = 1) -> None:
    """Raises if a value is not an integer of at least `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(
            f"{what} must be an integer of at least {minimum}. "
            f"Received: {value!r}."
        )


def check_flag(value: Any, what: str) -> None:
    """Raises if a value is not a boolean."""
    # A string such as "false" would be truthy.
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be True or False. Received: {value!r}.")


def check_types(parts: tuple[Any, ...], classes: Any, what: str) -> None:
    """Raises if a part is not an instance of one of the classes."""
    for part in parts:
        if not isinstance(part, classes):
            wanted = " or ".join(c.__name__ for c in classes)
            raise ValueError(
                f"{what} must be {wanted}. Received: {part!r} of type "
                f"{type(part).__name__}."
            )


def check_unique(names: list[str], what: str) -> None:
    """Raises if a name occurs twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"names of {what} must be unique. Repeated: {', '.join(repeated)}."
        )


def names_in(names: Iterable[str], what: str) -> tuple[str, ...]:
    """Returns a list of names as a tuple; raises for anything else."""
    # A string would be split into letters.
    given = names if isinstance(names, (list, tuple)) else (None,)
    if not all(isinstance(name, str) for name in given):
        raise ValueError(
            f"{what} must be a list of names. Received: {names!r}."
        )
    check_unique(list(given), what)
    return tuple(given)
