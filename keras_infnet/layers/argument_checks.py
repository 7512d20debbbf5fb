"""Checks of constructor arguments."""

from collections.abc import Sequence

__all__ = ["GROUPS", "check_choice", "check_groups", "check_positive"]

#: The groups of tokens that the blocks of INFNet know.
GROUPS = ("categorical", "sequence", "task")


def check_groups(updates: Sequence[str], broadcasts: Sequence[str]) -> None:
    """Raises where `broadcasts` is no part of `updates`, or that of `GROUPS`.

    Args:
        updates: names of groups.
        broadcasts: names of groups.

    Raises:
        ValueError: If a name is not known, or broadcast without an update.
    """
    for group in updates:
        if group not in GROUPS:
            raise ValueError(
                f"`updates` must be among {GROUPS}. Received: {group!r}."
            )
    for group in broadcasts:
        if group not in updates:
            raise ValueError(
                "`broadcasts` must be among `updates`. Received: "
                f"updates={tuple(updates)}, broadcasts={tuple(broadcasts)}."
            )


def check_positive(**values: int | Sequence[int]) -> None:
    """Raises `ValueError` unless all values are positive integers.

    Args:
        **values: integers, or sequences of integers, by argument name.

    Raises:
        ValueError: If a value is not a positive integer.
    """
    for name, value in values.items():
        sizes = value if isinstance(value, (list, tuple)) else [value]
        for size in sizes:
            if not isinstance(size, int) or size is True or size < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer or hold only such. "
                    f"Received: {name}={value!r}."
                )


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raises where the value of an argument is none of the choices.

    Args:
        name: string. Name of the argument.
        value: what was given for it.
        choices: what can be given for it.

    Raises:
        ValueError: If it is none of them.
    """
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(
            f"`{name}` must be one of {known}. Received: {name}={value!r}."
        )
