"""Atomic writes of files, and directory locks."""

import contextlib
import errno
import os
import zipfile
from collections.abc import Iterable, Iterator

import numpy as np

__all__ = ["alone_in", "replacing", "write_arrays", "write_text"]

_LOCK = ".in_use"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def alone_in(directory: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Creates and locks a directory against other processes.

    The system releases the lock when the process ends, even if it is killed.
    A second process or call raises a `RuntimeError` with `what` and the id of
    the process that holds the lock.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with alone_in(folder, "a comparison"):
    ...         sorted(os.listdir(folder))
    ...     os.listdir(folder)
    ['.in_use', '.in_use_by']
    []
    """
    import filelock

    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, _LOCK)
    # A separate file: on Windows a locked file cannot be read.
    holder = f"{path}_by"
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RuntimeError(
            f"{what} is under way in {os.fspath(directory)} already, in "
            f"process {_content(holder) or 'unknown'}. Wait for its end, or "
            "choose another directory."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # raised on some network disks
            raise
    try:
        with open(holder, "w", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        yield
    finally:
        for file_name in (holder, path):
            # Windows removes the lock file on release.
            with contextlib.suppress(OSError):
                os.remove(file_name)
        lock.release()


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the path of a temporary file that then replaces `path`.

    After an error the temporary file is removed and `path` is unchanged.
    Processes never share a temporary file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(os.path.join(folder, "a.bin")) as temporary:
    ...         with open(temporary, "wb") as file:
    ...             _ = file.write(b"all or nothing")
    ...     os.listdir(folder)
    ['a.bin']
    """
    temporary = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:  # a full disk, an interrupt
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a string in UTF-8 atomically, without newline conversion."""
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        file.write(text)


def write_arrays(
    path: str | os.PathLike[str], arrays: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Writes an `.npz` file atomically, one array at a time in memory."""
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", allowZip64=True) as archive,
    ):
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(
                    entry, np.asanyarray(array), allow_pickle=False
                )
