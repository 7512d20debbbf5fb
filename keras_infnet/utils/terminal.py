"""Width and kind of the output of a program."""

import os
import shutil
import sys
from typing import Any

__all__ = ["is_terminal", "output_width"]

_MAX_WIDTH = 100


def is_terminal(stream: Any = None) -> bool:
    """Tells whether control characters may be written, by default to stdout.

    They may not in files, in logs of CI and on terminals without a cursor.
    """
    stream = sys.stdout if stream is None else stream
    return (
        stream.isatty()
        and os.environ.get("TERM", "dumb") not in ("", "dumb")
        and not os.environ.get("CI")
    )


def output_width(stream: Any = None) -> int:
    """Returns the columns for text: those of the terminal, at most 100."""
    if not is_terminal(stream):
        return _MAX_WIDTH
    return min(_MAX_WIDTH, shutil.get_terminal_size().columns)
