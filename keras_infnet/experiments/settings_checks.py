"""Checks of settings that people write by hand."""

import typing
from typing import Any

from keras_infnet.schema import nearest_name
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = ["check_keys", "check_kinds"]


def check_kinds(section: Any, where: str) -> None:
    """Checks the values of a section by the annotations of its class.

    Args:
        section: instance of a dataclass.
        where: string. Name of the section in the file.

    Raises:
        ValueError: If a value is of another type.
    """
    for name, hint in typing.get_type_hints(type(section)).items():
        value = getattr(section, name)
        if not fits(value, hint):
            raise ValueError(
                f"[{where}] {name} must be {in_words(hint)}. "
                f"Received: {value!r}."
            )


def check_keys(received: Any, known: Any, what: str) -> None:
    """Raises for a key that nobody knows, with the nearest one.

    Args:
        received: iterable of names.
        known: container of names.
        what: string. What is named, for example `"key of [data]"`.

    Raises:
        ValueError: If a name is not known.
    """
    for key in received:
        if key not in known:
            raise ValueError(nearest_name(key, known, what))
