"""Worker processes: reused, replaced, ended."""

import os
import signal
import subprocess
import sys
import time

import pytest

from keras_infnet.serving.exporting import run_export
from keras_infnet.serving.exporting.worker_process import (
    command_of,
    run_in_worker,
)

WORKER = f"""
import os, runpy, sys
module = runpy.run_path({run_export.__file__!r})

def handle(what, path):
    print("this goes to the log")
    if what == "fail":
        raise ValueError("it's " + path)
    if what == "leave":
        os._exit(0)
    if what == "full":
        raise OSError(28, os.strerror(28))
    with open(path, "a") as file:
        file.write(str(os.getpid()) + chr(10))

module["serve_jobs"](handle)
"""


@pytest.fixture
def arguments(tmp_path):
    # A command line of its own: no other test has its process.
    return ("-c", WORKER + f"# {tmp_path}")


def do(arguments, what, path):
    with run_in_worker(arguments, [what, str(path)], "trying"):
        pass


def processes(path):
    return [int(line) for line in path.read_text().split()]


def is_gone(process):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_one_process_does_all_jobs(arguments, tmp_path):
    log = tmp_path / "log"
    for _ in range(3):
        do(arguments, "write", log)
    assert len(set(processes(log))) == 1 and len(processes(log)) == 3


def test_a_job_that_fails_ends_its_process_alone(arguments, tmp_path):
    log = tmp_path / "log"
    do(arguments, "write", log)
    with pytest.raises(RuntimeError, match="(?s)trying.*1.*it's wrong"):
        do(arguments, "fail", "wrong")
    do(arguments, "write", log)
    with pytest.raises(RuntimeError, match="trying.*disk is full"):
        do(arguments, "full", log)
    first, second = processes(log)
    assert first != second
    assert is_gone(first) and is_gone(second)


def test_a_process_that_was_killed_is_replaced(arguments, tmp_path):
    log = tmp_path / "log"
    do(arguments, "write", log)
    os.kill(processes(log)[0], signal.SIGTERM)
    do(arguments, "write", log)
    os.kill(processes(log)[1], signal.SIGTERM)
    time.sleep(0.5)
    do(arguments, "write", log)
    assert len(set(processes(log))) == 3


def test_a_job_that_ends_its_process_is_not_done(arguments, tmp_path):
    with pytest.raises(RuntimeError, match="status 0"):
        do(arguments, "leave", tmp_path / "log")


def test_a_block_that_fails_ends_the_process(arguments, tmp_path):
    log = tmp_path / "log"
    do(arguments, "write", log)
    with pytest.raises(KeyboardInterrupt):
        with run_in_worker(arguments, ["write", str(log)], "trying"):
            raise KeyboardInterrupt
    assert is_gone(processes(log)[0])


def test_processes_end_with_the_one_that_started_them(tmp_path):
    log = tmp_path / "log"
    code = (
        "from keras_infnet.serving.exporting.worker_process import "
        "run_in_worker\n"
        f"with run_in_worker(('-c', {WORKER!r}), ['write', {str(log)!r}], "
        "'trying'):\n    pass\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert is_gone(processes(log)[0])


def test_main_runs_with_the_path_of_this_process(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    log = tmp_path / "log"
    (tmp_path / "own_worker.py").write_text(
        "from keras_infnet.serving.exporting.run_export import serve_jobs\n"
        "def main():\n"
        "    serve_jobs(lambda path: open(path, 'w').close())\n"
    )
    with run_in_worker(command_of("own_worker"), [str(log)], "trying"):
        pass
    assert log.exists()
