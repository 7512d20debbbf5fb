"""Atomic writes, and directories that one process works in at a time."""

import os
import subprocess
import sys

import numpy as np
import pytest

from keras_infnet.utils.atomic_files import (
    alone_in,
    replacing,
    write_arrays,
    write_text,
)

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
        env={**os.environ, "KERAS_BACKEND": "torch"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def test_another_process_is_named_until_it_is_killed(holder, tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"process {holder.pid}"):
            with alone_in(tmp_path, "a training"):
                pass
    with alone_in(tmp_path / "other", "a training"):
        pass
    holder.kill()
    holder.wait()
    assert ".in_use" in os.listdir(tmp_path)
    with alone_in(tmp_path, "a training"):
        pass
    assert os.listdir(tmp_path) == ["other"]


def test_one_call_at_a_time_and_free_after_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with alone_in(tmp_path, "a sweep"):
            with pytest.raises(RuntimeError, match=f"process {os.getpid()}"):
                with alone_in(tmp_path, "a sweep"):
                    pass
            assert 1 / 0
    with alone_in(tmp_path, "a sweep"):
        pass
    assert not os.listdir(tmp_path)


def test_arrays_are_read_back(tmp_path):
    arrays = {"a/b": np.arange(3), "file": np.array(["x", "yz"])}
    write_arrays(tmp_path / "a.npz", arrays.items())
    with np.load(tmp_path / "a.npz") as read:
        assert set(read) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "before\r\n")
    with pytest.raises(KeyboardInterrupt):
        with replacing(path) as temporary:
            with open(temporary, "w") as file:
                file.write("half")
            raise KeyboardInterrupt
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_bytes() == b"before\r\n"
    assert os.listdir(tmp_path) == ["a.txt"]
