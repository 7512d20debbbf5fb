"""What version 0.1 saved is still read, and means the same.

`saved_by_0_1/README.md` says how the files were made. They are not to be made
anew by a later version: they stand for the models that users have.
"""

import json
import pathlib
import warnings

import keras
import numpy as np
import pytest

from keras_infnet.data import Batches, Table
from keras_infnet.serving import (
    Calibration,
    Servable,
    load_model_directory,
    serialize_examples,
)
from keras_infnet.training import fit_ranker, predict_rows

ON = keras.backend.backend()
SAVED = pathlib.Path(__file__).parent / "saved_by_0_1"
STEP_ROWS = 16
# Gradients of another backend differ in their last digits, and Adam divides
# small ones by small ones.
AFTER_A_STEP = 1e-4

each_model = pytest.mark.parametrize(
    "name", ["model_tensorflow", "model_jax", "model_torch"]
)
each_export = pytest.mark.parametrize(
    "name, model",
    [("export_tensorflow", "model_tensorflow"), ("export_jax", "model_jax")],
)
runs_exports = pytest.mark.skipif(
    ON != "tensorflow", reason="exports are run once, with TensorFlow"
)


@pytest.fixture(scope="module")
def table():
    return Table(json.loads((SAVED / "rows.json").read_text("utf-8")))


@pytest.fixture(scope="module")
def expected():
    return json.loads((SAVED / "expected.json").read_text("utf-8"))


def check(found, expected, tolerance=1e-5):
    assert sorted(found) == sorted(expected)
    for name, values in expected.items():
        array = np.ravel(found[name])
        if array.dtype.kind in "OS":
            assert [text.decode() for text in array] == values
            continue
        np.testing.assert_allclose(
            array, values, rtol=0, atol=tolerance, err_msg=name
        )


def predict(model, encoder, table):
    return predict_rows(model, Batches(table, encoder, 16, labels=False))


@each_model
def test_model_directory(name, table, expected):
    model, encoder = load_model_directory(SAVED / name)
    assert type(model).__name__ == expected[name]["model"]
    check(predict(model, encoder, table), expected[name]["predictions"])


@each_model
def test_training_goes_on(name, table, expected):
    if name == "model_torch" and ON != "torch":
        pytest.skip("Keras saves the AdamW of PyTorch, which runs there alone")
    _, encoder = load_model_directory(SAVED / name)
    with warnings.catch_warnings():
        # Keras only warns of an optimizer whose state it cannot read.
        warnings.filterwarnings("error", "Skipping variable loading")
        model = keras.models.load_model(SAVED / name / "model.keras")
    if ON == "torch":
        # It was compiled on JAX, and torch.compile takes minutes.
        model.jit_compile = False
    steps = expected[name]["steps"]
    assert int(model.optimizer.iterations) == steps
    rows = Batches(table.slice(0, STEP_ROWS), encoder, STEP_ROWS)
    history = fit_ranker(model, rows, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) == steps + 1
    check(
        predict(model, encoder, table),
        expected[name]["predictions_after_one_more_step"],
        AFTER_A_STEP,
    )


@each_export
def test_export_is_a_model_directory(name, model, table, expected):
    found = predict(*load_model_directory(SAVED / name / "1"), table)
    check(found, expected[model]["predictions"])


def test_calibration_file(table, expected):
    path = SAVED / "export_tensorflow" / "1" / "calibration.json"
    predictions = expected["model_tensorflow"]["predictions"]
    (served, *_) = expected["export_tensorflow"]["calls"]
    check(Calibration.load(path).apply(predictions), served["outputs"])


@runs_exports
@each_export
def test_export_answers(name, model, table, expected):
    servable = Servable.load(SAVED / name)
    for call in expected[name]["calls"]:
        if call["call"] == "predict_raw":
            rows = table.take(call["rows"])
            if call["columns"] is not None:
                rows = rows.select(call["columns"])
            check(servable.predict_raw(rows), call["outputs"])
        if call["call"] == "rank":
            found = servable.rank(
                table.take([call["request"]]),
                table.take(call["candidates"]),
                top_k=call["top_k"],
            )
            check(found, call["outputs"])


@runs_exports
@each_export
def test_requests_fit_the_signatures(name, model, table, expected):
    import tensorflow as tf

    folder = SAVED / name / "1"
    _, encoder = load_model_directory(folder)
    saved = tf.saved_model.load(str(folder))
    for call in expected[name]["calls"]:
        if call["call"] not in ("serving_default", "serve_examples"):
            continue
        rows = table.take(call["rows"])
        if call["call"] == "serving_default":
            (inputs,) = Batches(rows, encoder, len(rows), labels=False)[0]
        else:
            inputs = {"inputs": serialize_examples(rows, encoder.schema)}
        outputs = saved.signatures[call["call"]](
            **{name: tf.constant(x) for name, x in inputs.items()}
        )
        check({n: y.numpy() for n, y in outputs.items()}, call["outputs"])
