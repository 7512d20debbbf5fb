"""Exporters that are killed, and exporters that work at once."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest

from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.serving import export
from keras_infnet.serving.exporting.versions import versions

SCRIPT = """
import pathlib
import sys
import time

from keras_infnet.schema import Schema
from keras_infnet.serving import export
from keras_infnet.serving.model_directory import load_model

trained, served, point = sys.argv[1:]
module = sys.modules[export.__module__]

def stop(*args, **kwargs):
    pathlib.Path(trained, "stopped").touch()
    time.sleep(600)

if point:
    assert callable(getattr(module, point))
    setattr(module, point, stop)
model = load_model(trained + "/model.keras")
export(model, Schema.load(trained + "/schema.json"), served, warmup_rows=())
"""
#: Where an exporter stops, and what must be there before it is killed.
POINTS = [
    # The model is written.
    ("building", "model.keras"),
    # The builder is at work, in a process of its own.
    ("predict_cases", "variables"),
    # The SavedModel is there, and not looked at.
    ("run_isolated", "saved_model.pb"),
    # All is done but to give it a number.
    ("publish", "README.md"),
]
LONGEST = 300.0

pytestmark = [pytest.mark.serving, pytest.mark.long]


@pytest.fixture
def trained(tmp_path):
    schema = Schema([Categorical("item", hash_buckets=5)], [Task("click")])
    item = keras.Input((), dtype="int32", name="item")
    hidden = keras.layers.Embedding(6, 2, embeddings_initializer="normal")
    outputs = {"click": keras.layers.Dense(1, "sigmoid")(hidden(item))}
    folder = tmp_path / "trained"
    folder.mkdir()
    model = keras.Model({"item": item}, outputs)
    model.save(folder / "model.keras")
    schema.save(folder / "schema.json")
    return folder, model, schema


@pytest.fixture
def start(trained, tmp_path):
    """Starts an exporter, in a group of processes of its own."""
    started = []

    def run(point=""):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SCRIPT,
                trained[0],
                tmp_path / "news",
                point,
            ],
            env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def watched(tmp_path):
    """Looks all the time for versions that are not whole."""
    seen, stopped = [], threading.Event()

    def look():
        while not stopped.wait(0.005):
            for number in versions(tmp_path / "news"):
                folder = tmp_path / "news" / str(number)
                for name in ("saved_model.pb", "parity.json", "README.md"):
                    if not (folder / name).is_file():
                        seen.append(f"{number}: no {name}")

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    stopped.set()
    thread.join()


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def wait_until(found, process):
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        if found():
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    pytest.fail(f"nothing after {LONGEST:.0f} s")


def test_no_kill_leaves_half_a_version(trained, start, tmp_path, watched):
    tf = pytest.importorskip("tensorflow")
    folder, model, schema = trained
    news, stopped = tmp_path / "news", folder / "stopped"
    export(model, schema, tmp_path / "first", warmup_rows=())
    news.mkdir()
    shutil.copytree(tmp_path / "first" / "1", tmp_path / "copy")
    (tmp_path / "copy").rename(news / "1")
    before = contents(news / "1")
    for point, name in POINTS:
        stopped.unlink(missing_ok=True)
        process = start(point)
        own = f".export-{process.pid}-*"
        wait_until(
            lambda own=own, name=name: (
                stopped.exists() and list(news.glob(f"{own}/{name}"))
            ),
            process,
        )
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(LONGEST) == -signal.SIGKILL
        # Kept: on a shared disk, another host might be at work on it.
        assert len(list(news.glob(own))) == 1
        assert versions(news) == [1]
        assert contents(news / "1") == before

    # Two at once take a version each.
    both = [start(), start()]
    assert [process.wait(LONGEST) for process in both] == [0, 0]
    assert versions(news) == [1, 2, 3]
    assert contents(news / "1") == before
    assert len(list(news.glob(".export-*"))) == len(POINTS)
    items = np.arange(6, dtype=np.int32)
    expected = model.predict({"item": items}, verbose=0)["click"]
    for number in versions(news):
        loaded = tf.saved_model.load(str(news / str(number)))
        call = loaded.signatures["serving_default"]
        np.testing.assert_allclose(
            call(item=tf.constant(items))["click"],
            keras.ops.convert_to_numpy(expected),
            atol=1e-5,
        )
    assert not watched


def test_a_kill_leaves_the_other_alone(start, tmp_path, watched):
    killed, other = start("run_isolated"), start()
    news = tmp_path / "news"
    wait_until(
        lambda: list(news.glob(f".export-{killed.pid}-*/saved_model.pb")),
        killed,
    )
    os.killpg(killed.pid, signal.SIGKILL)
    assert other.wait(LONGEST) == 0, other.stderr.read()
    assert versions(news) == [1]
    assert len(list(news.glob(".export-*"))) == 1
    assert not watched
