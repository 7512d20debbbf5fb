"""Public names of a package, imported when they are first used."""

import ast
import importlib
import pathlib
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str) -> Callable[[str], Any]:
    """Returns the `__getattr__` of a package.

    The package lists its imports below `if TYPE_CHECKING:`, where type
    checkers find them; each runs when its name is first used.
    """
    module: Any = sys.modules[package]
    tree = ast.parse(pathlib.Path(module.__file__).read_text("utf-8"))
    places = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }

    def __getattr__(name: str) -> Any:
        if name not in module.__all__:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}"
            )
        value = getattr(importlib.import_module(places[name]), name)
        setattr(module, name, value)
        return value

    return __getattr__
