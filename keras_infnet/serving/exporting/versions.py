"""Numbered versions of a served model: `NAME/1/`, `NAME/2/`, ..."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["latest_version", "new_version", "publish", "versions"]


def versions(directory: str | os.PathLike[str]) -> list[int]:
    """Lists the versions in `directory`, in ascending order.

    >>> versions("saved_models/does_not_exist")
    []
    """
    path = Path(directory)
    if not path.is_dir():
        return []
    names = [entry.name for entry in path.iterdir()]
    return sorted(int(n) for n in names if n.isascii() and n.isdecimal())


def latest_version(directory: str | os.PathLike[str]) -> Path:
    """Returns the path of the newest version in `directory`.

    Args:
        directory: path of `NAME`.

    Returns:
        Path of `NAME/VERSION`.

    Raises:
        FileNotFoundError: If there is no version.
    """
    numbers = versions(directory)
    if not numbers:
        raise FileNotFoundError(
            f"{os.fspath(directory)} holds no exported model, that is, no "
            "folder with a number as its name. Export one with "
            "`keras_infnet.serving.export`."
        )
    # To a server, "007" is version 7.
    for entry in Path(directory).iterdir():
        if entry.name.isdecimal() and int(entry.name) == numbers[-1]:
            return entry
    raise FileNotFoundError(os.fspath(directory))


def publish(folder: Path, directory: Path) -> Path:
    """Gives a finished folder the next free version number, in one step.

    Two processes may publish at the same time: renaming onto a folder that is
    not empty fails, and the slower process takes the next number.
    """
    while True:
        number = max(versions(directory), default=0) + 1
        target = directory / str(number)
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return target


@contextlib.contextmanager
def new_version(directory: str | os.PathLike[str]) -> Iterator[Path]:
    """Makes a folder next to the versions and removes it at the end.

    `publish` renames it before. After an exception, an interrupt or a full
    disk, `directory` is as it was. Servers ignore the folder, since its name
    starts with a dot.
    """
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"{path} is a file. Give the folder of the numbered versions of "
            "a model, for example saved_models/NAME."
        )
    created = [p for p in (path, *path.parents) if not p.exists()]
    folder = path / f".export-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in created:
            # Only folders that are still empty.
            with contextlib.suppress(OSError):
                parent.rmdir()
