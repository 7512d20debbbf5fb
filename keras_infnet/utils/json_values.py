"""Conversion of results to JSON values."""

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["json_safe"]


def json_safe(value: Any) -> Any:
    """Copies plain data for `json.dump(allow_nan=False)`.

    NaN and infinities become `None`, NumPy values Python values, and paths
    strings.

    >>> json_safe({"auc": float("nan"), "rows": np.int64(3)})
    {'auc': None, 'rows': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
