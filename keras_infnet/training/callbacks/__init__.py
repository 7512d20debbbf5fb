"""Callbacks of `fit`; `fitting.py` puts them in order."""

from typing import Any, TypeAlias

__all__ = ["Logs"]

Logs: TypeAlias = dict[str, Any] | None
