"""What files of results have in common."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_infnet.version import __version__

__all__ = ["csv_text", "made_with"]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes rows as a table with every column that any of them has.

    Args:
        rows: list of mappings.

    Returns:
        String.

    Example:

    >>> csv_text([{"a": 1}, {"a": 2, "b": 3}]).split()
    ['a,b', '1,', '2,3']
    """
    table = io.StringIO()
    writer = csv.DictWriter(
        table, list(dict.fromkeys(name for row in rows for name in row))
    )
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def made_with() -> dict[str, str]:
    """Returns backend and versions, for those who look at results later."""
    return {
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "keras_infnet": __version__,
    }
