"""Other Python processes, quiet unless they fail."""

import atexit
import contextlib
import errno
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from keras_infnet import version

__all__ = ["check_can_export", "lasting_python", "python"]

_LINES = 40
_NO_SPACE = os.strerror(errno.ENOSPC)


def check_can_export() -> None:
    """Checks that models can be exported here: TensorFlow is installed.

    A model may be trained with any backend, and TensorFlow writes and reads
    the SavedModel. TensorFlow is looked for, not imported.

    Raises:
        ImportError: If it is not installed; says what to do.

    Example:

    >>> check_can_export()
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

    `arguments` are the command line, `what` is the task, for the error. The
    process has ended when the block is left; it is killed where the block
    fails. Raises `RuntimeError` with the end of what it printed if it fails.
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
            raise _failure(what, status, log)


class _Worker:
    """A Python process that does jobs, see `run_saved_model.serve_jobs`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.parent = os.getpid()
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def usable(self) -> bool:
        return self.parent == os.getpid() and self.process.poll() is None

    def send(self, job: Sequence[Any]) -> None:
        # Both processes write to the log at one position.
        self.log.seek(0)
        self.log.truncate()
        assert self.process.stdin is not None
        # A process that has just ended is noticed by `hears`.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()

    def hears(self, answer: str) -> bool:
        """Waits for an answer, or for the end of the process."""
        assert self.process.stdout is not None
        return self.process.stdout.readline() == f"{answer}\n"

    def end(self) -> None:
        if self.parent == os.getpid():  # not after a fork
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


#: Workers without a job, by their command lines.
_idle: dict[tuple[str, ...], _Worker] = {}


@contextlib.contextmanager
def lasting_python(
    arguments: tuple[str, ...], job: Sequence[Any], what: str
) -> Iterator[None]:
    """Does as `python`, by a process that stays for the next job.

    Importing TensorFlow takes seconds: of several exports, the first one
    alone waits for it. The process must call `run_saved_model.serve_jobs`. It
    ends with this process, or when it was idle for two minutes. A job that
    fails ends it, and so does a block that fails.
    """
    worker = _idle.pop(arguments, None)
    reused = worker is not None and worker.usable()
    if worker is None or not reused:
        if worker is not None:
            worker.end()
        worker = _Worker(arguments)
    try:
        worker.send(job)
        yield
        if not worker.hears("begun") and reused:
            # It ended before: killed, or idle for too long at this moment.
            worker.end()
            worker = _Worker(arguments)
            worker.send(job)
            worker.hears("begun")
        if not worker.hears("done"):
            raise _failure(what, worker.process.wait(), worker.log)
    except BaseException:
        worker.end()
        raise
    other = _idle.pop(arguments, None)  # of another thread
    _idle[arguments] = worker
    if other is not None:
        other.end()


@atexit.register
def _end_workers() -> None:
    while _idle:
        _idle.popitem()[1].end()


def _failure(what: str, status: int, log: IO[str]) -> RuntimeError:
    log.seek(0)
    lines = log.read().splitlines()[-_LINES:]
    if full := [text for text in lines if _NO_SPACE in text]:
        return RuntimeError(
            f"{what} failed, for the disk is full: {full[-1].strip()}"
        )
    printed = "\n".join(lines)
    return RuntimeError(
        f"{what} failed with status {status}. Its output ends:\n{printed}"
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
