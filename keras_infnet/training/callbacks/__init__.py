"""Callbacks of `fit`; `fitting.py` sets their order."""

from typing import Any, TypeAlias

__all__ = ["Logs"]

Logs: TypeAlias = dict[str, Any] | None
