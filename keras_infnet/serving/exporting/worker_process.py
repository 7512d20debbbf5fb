"""Python processes under TensorFlow that run one job after another."""

import atexit
import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

__all__ = ["command_of", "run_in_worker"]

_LINES = 40
_NO_SPACE = os.strerror(errno.ENOSPC)


def command_of(module: str) -> tuple[str, ...]:
    """Returns Python arguments that call `main` of a module.

    The process gets the `sys.path` of this one, and so finds what this one
    imports: a checkout of the package, and the modules of custom models.
    """
    path = [os.path.abspath(folder) for folder in sys.path]
    return (
        "-c",
        f"import sys; sys.path[:] = {path!r}; "
        # `-m` would run a module that the package has imported already.
        f"from {module} import main; main()",
    )


class _Worker:
    """A Python process that runs jobs, see `run_export.serve_jobs`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.parent = os.getpid()
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env={
                **os.environ,
                "KERAS_BACKEND": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "2",
                # The accelerator belongs to the process that trains.
                "CUDA_VISIBLE_DEVICES": "-1",
            },
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
        # `receives` notices a process that has just ended.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()

    def receives(self, answer: str) -> bool:
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


#: Workers without a job, by their arguments.
_idle: dict[tuple[str, ...], _Worker] = {}


@contextlib.contextmanager
def run_in_worker(
    arguments: tuple[str, ...], job: Sequence[Any], what: str
) -> Iterator[None]:
    """Runs a job in a worker process during the `with` block.

    `arguments` are Python arguments of a worker that calls
    `run_export.serve_jobs`. Later jobs with the same arguments reuse the
    worker, since importing TensorFlow takes seconds. It ends with this process
    or after two minutes without a job. If the job fails, the worker ends, and
    a `RuntimeError` names `what` and shows the end of the worker's output. If
    the `with` block raises, the worker is killed.
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
        if not worker.receives("begun") and reused:
            # Killed, or idle for too long at this very moment.
            worker.end()
            worker = _Worker(arguments)
            worker.send(job)
            worker.receives("begun")
        if not worker.receives("done"):
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
            f"{what} failed because the disk is full: {full[-1].strip()}"
        )
    printed = "\n".join(lines)
    return RuntimeError(
        f"{what} failed with status {status}. Its output ends:\n{printed}"
    )
