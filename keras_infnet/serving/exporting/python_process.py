"""Other Python processes, quiet unless they fail."""

import contextlib
import errno
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_infnet import version

__all__ = ["check_tensorflow", "python"]

_LINES = 40
_NO_SPACE = os.strerror(errno.ENOSPC)


def check_tensorflow() -> None:
    """Checks that TensorFlow is installed, without importing it.

    Raises:
        ImportError: If it is not.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(
            "a SavedModel is written and read with TensorFlow, which is not "
            'installed. Run: python -m pip install "keras-infnet[tensorflow]". '
            "The model may have been trained with another backend."
        )


@contextlib.contextmanager
def python(arguments: Sequence[str], what: str) -> Iterator[None]:
    """Runs Python under the TensorFlow backend on the CPU, beside the block.

    Args:
        arguments: list of strings, the command line behind `python`.
        what: string. What the process is for, for the error.

    Yields:
        Nothing. The process has ended when the block is left; it is killed
        where the block fails.

    Raises:
        RuntimeError: If the process fails; holds the end of what it printed.
    """
    # A file and not a pipe: nobody reads while the block runs.
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        with subprocess.Popen(
            [sys.executable, *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                yield
                status = process.wait()
            except BaseException:
                process.kill()
                raise
        if status:
            log.seek(0)
            lines = log.read().splitlines()[-_LINES:]
            if full := [text for text in lines if _NO_SPACE in text]:
                raise RuntimeError(
                    f"{what} failed, for the disk is full: {full[-1].strip()}"
                )
            printed = "\n".join(lines)
            raise RuntimeError(
                f"{what} failed with status {status}. Its output ends:\n"
                f"{printed}"
            )


def _environment() -> dict[str, str]:
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # The accelerator belongs to the process that trains.
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    package = str(Path(version.__file__).parents[1])
    if package not in (sysconfig.get_path(p) for p in ("purelib", "platlib")):
        # A checkout that is on the path of this process alone.
        paths = [package, os.environ.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment
