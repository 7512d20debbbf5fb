"""Exported models in tools that know nothing of this package."""

import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_infnet.data.batching.padding import input_arrays
from keras_infnet.serving.request import raw_request

pytestmark = [
    pytest.mark.serving,
    pytest.mark.long,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="what is exported is the same on every backend",
    ),
]


def saved_model_cli(*words):
    """Runs TensorFlow's own tool, where this package is not on the path."""
    module = "tensorflow.python.tools.saved_model_cli"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-P", "-m", module, *map(str, words)],
        env={**environment, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_saved_model_cli_shows_the_signatures(exported, encoder):
    text = saved_model_cli("show", "--dir", exported, "--all")
    assert "MetaGraphDef with tag-set: 'serve'" in text
    parts = re.split(r"signature_def\['(\w+)'\]:", text)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))
    schema = encoder.schema
    for name, specs in (
        ("serving_default", schema.inputs),
        ("serve_raw", schema.raw_inputs),
    ):
        found = re.findall(
            r"inputs\['(\w+)'\] tensor_info:\s+dtype: DT_(\w+)\s+"
            r"shape: \(([-\d, ]+)\)",
            shown[name],
        )
        sizes = {
            key: [int(size) for size in shape.split(",")]
            for key, _, shape in found
        }
        assert {key: dtype.lower() for key, dtype, _ in found} == {
            key: spec.dtype.replace("float32", "float")
            for key, spec in specs.items()
        }
        for key, spec in specs.items():
            free = [-1 if size is None else size for size in spec.shape]
            assert sizes[key] == [-1, *free], key
        assert "Method name is: tensorflow/serving/predict" in shown[name]


def test_saved_model_cli_runs_a_request(
    exported, model, encoder, table, tmp_path
):
    rows = table.slice(0, 5)
    request = raw_request(rows, encoder.schema)
    # Text as bytes, which are read without pickling.
    arrays = {
        name: np.char.encode(array.astype(str), "utf-8")
        if array.dtype == object
        else array
        for name, array in request.items()
    }
    np.savez(tmp_path / "request.npz", **arrays)
    inputs = [f"{name}={tmp_path}/request.npz[{name}]" for name in request]
    saved_model_cli(
        *("run", "--dir", exported, "--tag_set", "serve"),
        *("--signature_def", "serve_raw", "--inputs", ";".join(inputs)),
        *("--outdir", tmp_path, "--overwrite"),
    )
    encoded = encoder.encode(rows, labels=False)
    expected = model.predict(input_arrays(encoder.schema, encoded), verbose=0)
    for task, y in expected.items():
        found = np.load(tmp_path / f"{task}.npy")
        np.testing.assert_allclose(found, y, atol=1e-5)


@pytest.mark.parametrize("label", ["sums", "INFNet"])
def test_openvino_answers_alike(label, encoder, table, request):
    openvino = pytest.importorskip("openvino")
    from openvino import opset15
    from openvino.frontend.tensorflow import ConversionExtension

    def lower_bound(node):
        found = opset15.search_sorted(node.get_input(0), node.get_input(1))
        return opset15.convert(found, "i32").outputs()

    if label == "sums":
        folder = request.getfixturevalue("exported_ids")
        model = request.getfixturevalue("model")
    else:
        model, folder = request.getfixturevalue("built")(label)
    core = openvino.Core()
    # By which histories are compacted, and which OpenVINO lacks.
    core.add_extension(ConversionExtension("LowerBound", lower_bound))
    network = core.compile_model(
        core.read_model(folder),
        "CPU",
        # Some processors would compute in bfloat16, 0.001 beside.
        {"INFERENCE_PRECISION_HINT": "f32"},
    )
    assert {i.any_name for i in network.inputs} == set(encoder.schema.inputs)
    for rows in (1, 30):
        part = table.slice(0, rows)
        inputs = input_arrays(
            encoder.schema, encoder.encode(part, labels=False)
        )
        found = network(inputs)
        for task, expected in model.predict(inputs, verbose=0).items():
            np.testing.assert_allclose(found[task], expected, atol=1e-5)
