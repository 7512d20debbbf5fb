"""Files that are whole or not there, and folders with one user at a time."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO

__all__ = ["alone_in", "write_text"]

_LOCK = ".in_use"


@contextlib.contextmanager
def alone_in(directory: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Keeps other processes from the same work in a directory.

    The system forgets the lock when the process ends, however it ends. Where
    there are no such locks, on Windows and some network disks, nobody is kept
    out.

    Args:
        directory: path, made if absent.
        what: string. What is done there, for the error.

    Yields:
        Nothing.

    Raises:
        RuntimeError: If another process, or another call, does it already.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with alone_in(folder, "a comparison"):
    ...         os.listdir(folder)
    ...     os.listdir(folder)
    ['.in_use']
    []
    """
    os.makedirs(directory, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = os.path.join(directory, _LOCK)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = not _is_still(file, path)
        except BlockingIOError:
            taken = True
        except OSError:  # a disk without locks
            taken = False
        if taken:
            file.seek(0)
            raise RuntimeError(
                f"{what} is under way in {os.fspath(directory)} already, in "
                f"process {file.read().strip() or 'unknown'}. Wait for its "
                "end, or choose another directory."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.remove(path)


def _is_still(file: IO[str], path: str) -> bool:
    """Whether a file was not removed before it was locked."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


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
