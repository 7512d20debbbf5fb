"""Checks of the values that make up a schema."""

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
    """Builds the message for a name that nobody knows.

    Args:
        name: string. The name received.
        known: names that would have been valid.
        what: string. What is named, for example `"field"`.

    Returns:
        A sentence that names the mistake, the nearest valid name and all
        valid names.

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
    """Refuses what cannot name an input or output of a model."""
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
    """Refuses what is none of the choices."""
    if value not in choices:
        raise ValueError(nearest_name(value, choices, what))


def check_count(value: Any, what: str, minimum: int = 1) -> None:
    """Refuses what is no integer of at least `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(
            f"{what} must be an integer of at least {minimum}. "
            f"Received: {value!r}."
        )


def check_flag(value: Any, what: str) -> None:
    """Refuses what is no boolean."""
    # Text such as "false" would count as true.
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be True or False. Received: {value!r}.")


def check_types(parts: tuple[Any, ...], classes: Any, what: str) -> None:
    """Refuses parts that are of none of the classes."""
    for part in parts:
        if not isinstance(part, classes):
            wanted = " or ".join(c.__name__ for c in classes)
            raise ValueError(
                f"{what} must be {wanted}. Received: {part!r} of type "
                f"{type(part).__name__}."
            )


def check_unique(names: list[str], what: str) -> None:
    """Refuses names that repeat."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"names of {what} must be unique. Repeated: {', '.join(repeated)}."
        )


def names_in(names: Iterable[str], what: str) -> tuple[str, ...]:
    """Returns a list of names as a tuple; refuses what is none."""
    # Text would be a list of its letters.
    given = names if isinstance(names, (list, tuple)) else (None,)
    if not all(isinstance(name, str) for name in given):
        raise ValueError(
            f"{what} must be a list of names. Received: {names!r}."
        )
    check_unique(list(given), what)
    return tuple(given)
