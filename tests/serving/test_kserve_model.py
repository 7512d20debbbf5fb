"""The model class for KServe, without the server, which has other versions."""

import argparse
import json
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from serving_examples import on_tensorflow, ranking_inputs, raw_inputs

from keras_infnet.serving import Servable
from keras_infnet.serving.client.rest_transport import json_columns

SCRIPT = Path(__file__).parents[2] / "examples/serving/kserve_model.py"

pytestmark = [pytest.mark.serving, on_tensorflow]


class InvalidInput(ValueError):
    pass


class Model:
    def __init__(self, name):
        self.name = name
        self.ready = False


@pytest.fixture
def served(monkeypatch, exported):
    kserve = types.ModuleType("kserve")
    kserve.Model = Model
    kserve.errors = types.ModuleType("kserve.errors")
    kserve.errors.InvalidInput = InvalidInput
    kserve.model_server = argparse.Namespace(
        parser=argparse.ArgumentParser(add_help=False)
    )
    monkeypatch.setitem(sys.modules, "kserve", kserve)
    monkeypatch.setitem(sys.modules, "kserve.errors", kserve.errors)
    return runpy.run_path(str(SCRIPT))["ExportedModel"]("news", str(exported))


def sent(inputs):
    """What the client sends, as it arrives."""
    plain = {name: json_columns(array, True) for name, array in inputs.items()}
    return json.loads(json.dumps(plain, allow_nan=False))


def test_answers_as_the_export(served, exported, table):
    assert served.ready and served.name == "news"
    servable, rows = Servable.load(exported), table.slice(0, 7)
    inputs = sent(raw_inputs(rows, servable.schema))
    found = served.predict({"signature_name": "serve_raw", "inputs": inputs})
    instances = [
        {name: values[i] for name, values in inputs.items()} for i in range(7)
    ]
    by_row = served.predict(
        {"signature_name": "serve_raw", "instances": instances}
    )
    for task, expected in servable.predict_raw(rows).items():
        np.testing.assert_allclose(found["outputs"][task], expected, atol=1e-6)
        np.testing.assert_allclose(
            [row[task] for row in by_row["predictions"]], expected, atol=1e-6
        )
    request = ranking_inputs(rows.slice(0, 1), rows, servable.schema)
    best = served.predict(
        {
            "signature_name": "rank_top_k",
            "inputs": {**sent(request), "k": 3},
        }
    )
    for name, expected in servable.rank(rows.slice(0, 1), rows, 3).items():
        np.testing.assert_allclose(best["outputs"][name], expected, atol=1e-6)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"signature_name": "rnak"}, "no signature 'rnak'.*rank_top_k"),
        ({"signature_name": [1]}, "no signature"),
        ({"inputs": {"item": [1]}}, "inputs must be .*'city'"),
        ({"inputs": None}, "instances"),
        ({"item": [3.5] * 2}, "int64"),
        ({"item": [None] * 2}, "None"),
        ({"item": [2**63] * 2}, "out-of-range"),
        ({"city": [{"b64": "U"}] * 2}, "base64"),
        ({"tags": [[1], [1, 2]]}, "non-rectangular"),
        ({"price": [1.0] * 5}, "equally many rows"),
        ({"price": [[1.0]] * 2}, "shape"),
    ],
)
def test_what_does_not_fit_is_refused(served, exported, table, change, message):
    schema = Servable.load(exported).schema
    inputs = sent(raw_inputs(table.slice(0, 2), schema))
    right = {"signature_name": "serve_raw", "inputs": inputs}
    if change.keys() <= right.keys():
        wrong = {**right, **change}
    else:
        wrong = {**right, "inputs": {**inputs, **change}}
    with pytest.raises(InvalidInput, match=f"(?s){message}"):
        served.predict(wrong)
    assert served.predict(right)["outputs"].keys() == {"click", "like", "stay"}


def test_other_kinds_of_text_are_refused(served):
    with pytest.raises(InvalidInput, match="application/json"):
        served.predict(b"{}")
