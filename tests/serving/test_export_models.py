"""Every model as a SavedModel, without the other checks of an export."""

import keras
import numpy as np
import pytest
from small_models import SETTINGS, small_model
from tiny import randomize

from keras_infnet.data.batching.padding import input_arrays
from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.build_saved_model import build

# INFNet goes through whole exports elsewhere.
LABELS = [
    label
    for label in SETTINGS
    if "INFNet" not in label
    and ("_" not in label or "trunk" in label or "retrain" in label)
]

pytestmark = [
    pytest.mark.serving,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="builds in this process",
    ),
]


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=() if label == "DIN" else pytest.mark.long)
        for label in LABELS
    ],
)
def test_answers_as_predict_does(label, encoder, table, tmp_path):
    schema = encoder.schema
    model = randomize(small_model(label, schema))
    model.save(tmp_path / "model.keras")
    encoder.save(tmp_path)
    build(tmp_path)
    servable = Servable.load(tmp_path)
    found = servable.predict_raw(table, batch_size=77)
    expect(found, predict(model, encoder, table))

    # One request: the first row's, all rows as its candidates.
    names = [n for n in table.columns if n not in schema.candidates]
    first = np.zeros(len(table), np.int64)
    tiled = table.with_columns({n: table[n].take(first) for n in names})
    found = servable.rank(table.slice(0, 1), table)
    expected = predict(model, encoder, tiled)
    expected = {task: values[:, 0] for task, values in expected.items()}
    expect(found, {**expected, "score": sum(expected.values())})


def predict(model, encoder, table):
    encoded = encoder.encode(table, labels=False)
    inputs = input_arrays(encoder.schema, encoded)
    return model.predict(inputs, verbose=0)


def expect(found, expected):
    assert set(found) == set(expected)
    for task, values in expected.items():
        # Candidates of one request differ less than rows do.
        assert np.ptp(values) > 3e-4
        np.testing.assert_allclose(found[task], values, rtol=1e-5, atol=1e-5)
