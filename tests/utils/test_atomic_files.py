"""Folders that one process works in at a time."""

import os
import signal
import subprocess
import sys

import pytest

from keras_infnet.utils.atomic_files import alone_in

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no such locks")

HOLDS = """
import sys, time
from keras_infnet.utils.atomic_files import alone_in
with alone_in({folder!r}, "a training"):
    print("holds", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that works in the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS.format(folder=str(tmp_path))],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def test_another_process_is_named(holder, tmp_path):
    message = f"a training is under way in .* process {holder.pid}. Wait"
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message):
            with alone_in(tmp_path, "a training"):
                pass
    with alone_in(tmp_path / "other", "a training"):
        pass


def test_a_killed_process_keeps_nobody_out(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.listdir(tmp_path) == [".in_use"]
    with alone_in(tmp_path, "a training"):
        pass
    assert not os.listdir(tmp_path)


def test_one_call_at_a_time_and_free_behind_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with alone_in(tmp_path, "a sweep"):
            with pytest.raises(RuntimeError, match=f"process {os.getpid()}"):
                with alone_in(tmp_path, "a sweep"):
                    pass
            assert 1 / 0
    with alone_in(tmp_path, "a sweep"):
        pass
    assert not os.listdir(tmp_path)
