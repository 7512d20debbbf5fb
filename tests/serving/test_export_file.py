"""Models as one file, run by the runtimes that the files are for."""

import contextlib
import importlib.util
import math
import re
import sys

import keras
import numpy as np
import pytest
from small_models import small_model
from tiny import randomize

from keras_infnet.schema import Behavior, Categorical, Schema, Task
from keras_infnet.serving import export_file
from keras_infnet.serving.exporting.export_file import build_file
from keras_infnet.serving.exporting.file_formats import (
    FILE_FORMATS,
    file_format,
    is_model_file,
)
from keras_infnet.serving.exporting.run_export import model_function
from keras_infnet.serving.exporting.sample_rows import example_inputs

MODULE = sys.modules[export_file.__module__]
PACKAGES = {kind.suffix: kind.packages for kind in FILE_FORMATS}
in_another_process = [pytest.mark.slow, pytest.mark.serving]
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="what is exported is the same on every backend",
)


@pytest.fixture(scope="module")
def schema():
    return Schema(
        [
            Categorical("user"),
            Categorical("item"),
            Categorical("tags", multivalued=True, max_values=3),
        ],
        [Task("click"), Task("watch", kind="regression")],
        # Positions up to 6, which LiteRT would clip as it does activations.
        [Behavior("seen", ["item"], max_length=7, timed=True)],
        request_time="at",
        candidates=["item", "tags"],
        table_sizes={"user": 11, "item": 13, "tags": 6},
    )


def needs(suffix):
    for package in PACKAGES[suffix]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")


def expect_answers(path, model, schema):
    """Other rows than those of the export's own check."""
    inputs = example_inputs(schema, rows=9, seed=5)
    few = {
        name: array[:2, :3] if name.startswith("seen_") else array[:2]
        for name, array in inputs.items()
    }
    run = model_function(str(path))
    for request in (inputs, few):
        found = run(request)
        assert set(found) == {"click", "watch"}
        for task, expected in model.predict(request, verbose=0).items():
            np.testing.assert_allclose(
                found[task], expected, rtol=1e-5, atol=1e-5
            )
            assert np.ptp(expected) > 3e-4


@pytest.mark.parametrize(
    "suffix",
    [
        pytest.param(".onnx", marks=in_another_process),
        pytest.param(".tflite", marks=[pytest.mark.long, on_tensorflow]),
    ],
)
def test_the_file_answers_as_predict_does(schema, suffix, tmp_path):
    needs(suffix)
    model = randomize(small_model("SharedBottom", schema))
    path = tmp_path / "new" / f"news{suffix}"
    path.parent.mkdir()
    path.write_text("what was there")
    assert export_file(model, schema, path) == path
    assert [*path.parent.iterdir()] == [path]
    expect_answers(path, model, schema)


@on_tensorflow
@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "suffix"),
    [("INFNet", ".onnx"), ("INFNet", ".tflite"), ("BST", ".tflite")],
)
def test_models_of_attention(schema, label, suffix, tmp_path):
    needs(suffix)
    blocks = {"num_blocks": 1}  # Converters are slow.
    model = randomize(small_model(label, schema, **blocks))
    path = tmp_path / f"news{suffix}"
    with quiet():
        build_file(model, schema, path)
    expect_answers(path, model, schema)


@contextlib.contextmanager
def quiet():
    """The converters use what NumPy and TensorFlow give up."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@on_tensorflow
@pytest.mark.slow
def test_axes_of_onnx_have_names(schema, tmp_path):
    needs(".onnx")
    import onnxruntime

    path = tmp_path / "news.onnx"
    with quiet():
        build_file(small_model("SharedBottom", schema), schema, path)
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    shapes = {i.name: i.shape for i in session.get_inputs()}
    assert shapes == {
        "user": ["rows"],
        "item": ["rows"],
        "tags": ["rows", 3],
        "seen_item": ["rows", "seen_events"],
        "seen_mask": ["rows", "seen_events"],
        "seen_gap": ["rows", "seen_events"],
    }
    for output in session.get_outputs():
        assert output.shape == ["rows", 1]


@on_tensorflow
@pytest.mark.long
@pytest.mark.serving
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_operations_without_counterpart(suffix, tmp_path):
    needs(suffix)
    schema = Schema(
        [Categorical("item")], [Task("click")], table_sizes={"item": 13}
    )
    ids = keras.Input((), dtype="int32", name="item")
    vectors = keras.layers.Embedding(13, 1)(ids)
    model = keras.Model({"item": ids}, {"click": keras.ops.erfinv(vectors)})
    with pytest.raises(ValueError, match="Functional") as caught:
        export_file(model, schema, tmp_path / "new" / f"news{suffix}")
    message = str(caught.value)
    assert "Erfinv" in message and "Export a SavedModel" in message
    assert len(message) < 600 and "Traceback" not in message
    assert not any(tmp_path.iterdir())


@pytest.fixture
def answers(monkeypatch):
    """Has nothing written or run; what a file answers is in the list."""
    found = []

    @contextlib.contextmanager
    def run_in_worker(arguments, job, what):
        with open(*job, "w") as file:
            file.write("a model")
        yield

    def run_isolated(file, cases, what):
        found.extend(cases)
        return {}, [
            {task: y + 0.1 for task, y in case.expected.items()}
            for case in cases
        ]

    monkeypatch.setattr(MODULE, "run_in_worker", run_in_worker)
    monkeypatch.setattr(MODULE, "run_isolated", run_isolated)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    return found


def test_other_answers_are_refused(schema, tmp_path, answers):
    path = tmp_path / "news.onnx"
    path.write_text("what was there")
    model = small_model("SharedBottom", schema)
    with pytest.raises(ValueError, match="'click'.*'onnx'"):
        export_file(model, schema, path)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_text() == "what was there"
    export_file(model, schema, path, tolerance=0.2)
    assert path.read_text() == "a model"


def test_mixed_precision_is_compared_in_float32(schema, tmp_path, answers):
    model = small_model("SharedBottom", schema, dtype="mixed_bfloat16")
    same = small_model("SharedBottom", schema)
    same.set_weights(randomize(model).get_weights())
    export_file(model, schema, tmp_path / "news.onnx", tolerance=0.2)
    first = answers[0]
    for task, expected in same.predict(first.inputs, verbose=0).items():
        found = first.expected[task]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    ids = keras.Input((), dtype="int32", name="item")
    layer = keras.layers.Embedding(13, 1, dtype="mixed_bfloat16")
    model = keras.Model({"item": ids}, {"click": layer(ids)})
    schema = Schema(
        [Categorical("item")], [Task("click")], table_sizes={"item": 13}
    )
    with pytest.raises(ValueError, match="bfloat16"):
        export_file(model, schema, tmp_path / "news.onnx")


@pytest.mark.parametrize(
    ("name", "whether"),
    [
        ("news", False),
        ("news.v2", False),
        ("news.onnx", True),
        ("news.ONNX", True),
        ("news.TfLite", True),
        ("news.pb", True),
        ("news.keras", True),
    ],
)
def test_names_of_files(name, whether):
    assert is_model_file(name) is whether
    if name.lower().endswith(("onnx", "tflite")):
        assert name.lower().endswith(file_format(name).suffix)


def test_mistakes(schema, tmp_path, monkeypatch):
    model = small_model("SharedBottom", schema)
    with pytest.raises(ValueError, match=r"\.onnx.*\.tflite"):
        export_file(model, schema, tmp_path / "news.pb")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with pytest.raises(ValueError, match="`tolerance`"):
        export_file(model, schema, tmp_path / "a.onnx", tolerance=math.nan)
    (tmp_path / "news.onnx").mkdir()
    with pytest.raises(IsADirectoryError, match="news.onnx"):
        export_file(model, schema, tmp_path / "news.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = re.escape("[tensorflow,litert]")
    with pytest.raises(ImportError, match=f"ai_edge_litert.*{line}"):
        export_file(model, schema, tmp_path / "news.tflite")
