"""Every model as a SavedModel, without the other checks of an export."""

import pytest
from serving_examples import as_candidates, expect, on_tensorflow, predict
from small_models import SETTINGS, small_model
from tiny import randomize

from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.build_saved_model import build

# INFNet goes through whole exports elsewhere.
LABELS = [
    label
    for label in SETTINGS
    if "INFNet" not in label
    and ("_" not in label or "trunk" in label or "retrain" in label)
]

pytestmark = [pytest.mark.serving, on_tensorflow]


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
    # Candidates of one request differ less than rows do.
    expect(found, predict(model, encoder, table), spread=3e-4)

    # One request: the first row's, all rows as its candidates.
    found = servable.rank(table.slice(0, 1), table)
    expected = predict(model, encoder, as_candidates(table, schema))
    expected = {task: values[:, 0] for task, values in expected.items()}
    score = sum(expected.values())
    expect(found, {**expected, "score": score}, spread=3e-4)
