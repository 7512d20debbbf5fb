"""Exported models in tools that know nothing of this package."""

import os
import subprocess
import sys

import numpy as np
import pytest
from serving_examples import (
    expect,
    inputs_of,
    on_tensorflow,
    predict,
    raw_inputs,
)

pytestmark = [pytest.mark.serving, pytest.mark.long, on_tensorflow]


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


def test_saved_model_cli_runs_a_request(
    exported, model, encoder, table, tmp_path
):
    rows = table.slice(0, 5)
    request = raw_inputs(rows, encoder.schema)
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
    expected = predict(model, encoder, rows)
    expect({t: np.load(tmp_path / f"{t}.npy") for t in expected}, expected)


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
        found = network(inputs_of(encoder, part))
        for task, expected in predict(model, encoder, part).items():
            np.testing.assert_allclose(found[task], expected, atol=1e-5)
