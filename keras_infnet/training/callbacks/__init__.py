"""Callbacks of `fit`; `fitting.py` orders them."""

from typing import Any, TypeAlias

__all__ = ["Logs"]

Logs: TypeAlias = dict[str, Any] | None
