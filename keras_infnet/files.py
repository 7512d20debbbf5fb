"""Files that are whole or not there."""

import contextlib
import os

__all__ = ["write_text"]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file in one step: what was there stays until all is written.

    Args:
        path: path of the file.
        text: string, written as it is, in UTF-8.

    Example:

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(os.path.join(folder, "a.txt"), "all or nothing")
    ...     os.listdir(folder)
    ['a.txt']
    """
    temporary = f"{os.fspath(path)}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:  # a full disk, an interrupt
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
