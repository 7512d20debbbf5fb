"""The public names, from the list that the tests keep."""

import importlib
import pathlib
from typing import Any

__all__ = ["find", "public_names"]

LIST = pathlib.Path(__file__).resolve().parents[2] / "tests/public_api.txt"


def public_names() -> list[str]:
    """Full names of everything public, modules included."""
    return LIST.read_text("utf-8").split()


def find(path: str) -> Any:
    """Returns what a full name stands for."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
