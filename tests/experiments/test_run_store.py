"""Finished runs on disk."""

import numpy as np
import pytest

from keras_infnet.experiments.run_store import RunStore

RECORD = {"label": "a", "error": None}


@pytest.fixture
def kept(tmp_path):
    messages = []
    store = RunStore(tmp_path, messages.append)
    key = store.key(model="a")
    store.put(key, RECORD, {"click": np.arange(1000.0)})
    return store, key, messages


def test_a_run_is_found_again(kept):
    store, key, messages = kept
    record, predictions = store.get(key)
    assert record == {**RECORD, "tasks": ["click"]}
    np.testing.assert_array_equal(predictions["click"], np.arange(1000.0))
    assert store.get(store.key(model="b")) is None
    assert not messages


@pytest.mark.parametrize(
    ("suffix", "left"),
    [
        (".npz", None),
        (".npz", 0),
        (".npz", 100),
        (".npz", 5000),
        (".json", 0),
        (".json", 20),
        (".json", b"{}"),
        (".json", b"[]"),
        (".json", b"\xff"),
    ],
)
def test_damaged_runs_are_reported_and_absent(kept, suffix, left):
    store, key, messages = kept
    path = store.directory / (key + suffix)
    if left is None:
        path.unlink()
    else:
        path.write_bytes(
            left if isinstance(left, bytes) else path.read_bytes()[:left]
        )
    assert store.get(key) is None
    assert str(path) in messages[0]
    store.put(key, RECORD, {"click": np.arange(1000.0)})
    assert store.get(key) is not None


def test_changed_bytes(kept):
    store, key, messages = kept
    path = store.directory / f"{key}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert store.get(key) is None
    assert "BadZipFile" in messages[0]
