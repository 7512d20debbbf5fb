"""Results of all tasks and the table of them."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_infnet.evaluation import evaluate, format_report, json_safe
from keras_infnet.schema import Categorical, Schema, Task

NAN = float("nan")


@pytest.fixture
def schema():
    return Schema(
        [Categorical("item_id")],
        [Task("click"), Task("like"), Task("seconds", kind="regression")],
    )


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    predictions = generator.random((200, 1)).astype("float32")
    labels = {
        "click": (generator.random(200) < predictions[:, 0]).astype("float32"),
        "like": np.zeros(200, "float32"),
        "seconds": generator.normal(5, 2, 200).astype("float32"),
    }
    weights = {name: np.ones(200, "float32") for name in labels}
    weights["click"][:20] = 0
    return labels, {name: predictions for name in labels}, weights


def test_evaluate(schema, rows):
    labels, predictions, weights = rows
    groups = np.arange(200) % 7
    results = evaluate(labels, predictions, weights, schema, groups)
    assert list(results) == ["click", "like", "seconds"]
    click = results["click"]
    assert set(click) == {
        "rows",
        "rate",
        "auc",
        "log_loss",
        "normalized_entropy",
        "calibration",
        "expected_calibration_error",
        "gauc",
        "gauc_uniform",
        "gauc_groups",
    }
    assert click["rows"] == 180
    assert click["rate"] == pytest.approx(labels["click"][20:].mean())
    assert click["auc"] == pytest.approx(
        roc_auc_score(labels["click"][20:], predictions["click"][20:, 0])
    )
    assert click["gauc_groups"] == 7
    assert np.isnan(results["like"]["auc"])
    assert np.isnan(results["like"]["gauc"])
    assert results["like"]["gauc_groups"] == 0
    assert set(results["seconds"]) == {"rows", "mean", "rmse", "r2"}
    assert all(
        type(value) is float for r in results.values() for value in r.values()
    )


def test_evaluate_without_groups_and_weights(schema, rows):
    labels, predictions, _ = rows
    results = evaluate(labels, predictions, None, schema)
    assert results["click"]["rows"] == 200
    assert "gauc" not in results["click"]


def test_a_task_without_rows_is_undefined(schema, rows):
    labels, predictions, weights = rows
    weights = {name: np.zeros(200) for name in weights}
    results = evaluate(labels, predictions, weights, schema, np.zeros(200))
    assert results["click"]["rows"] == 0
    assert np.isnan(results["click"]["log_loss"])
    assert np.isnan(results["seconds"]["rmse"])


def test_errors_name_the_task(schema, rows):
    labels, predictions, weights = rows
    wrong = {**predictions, "like": np.full(200, NAN)}
    with pytest.raises(ValueError, match="'like': predictions"):
        evaluate(labels, wrong, weights, schema)
    wrong = {"click": 1, "lke": 2, "seconds": 3}
    with pytest.raises(ValueError, match="'like' .*'lke'"):
        evaluate(labels, wrong, weights, schema)


def test_report_is_aligned():
    results = {
        "click": {"rows": 12345.0, "auc": 0.75, "calibration": 1.0},
        "long_view": {"rows": 7.0, "auc": NAN, "calibration": None},
        "seconds": {"rows": 7.0, "mean": 2.5, "rmse": 1.25, "r2": -0.5},
    }
    table = format_report(
        results,
        {"best AUC": {"click": 0.8}, "boosting": {"click": 0.7, "seconds": 1}},
    )
    assert table.splitlines() == [
        "task         rows        AUC  calibration  best AUC  boosting",
        "click      12,345     0.7500        1.000    0.8000    0.7000",
        "long_view       7  undefined    undefined         -         -",
        "",
        "task     rows  mean  RMSE       R2  boosting",
        "seconds     7   2.5  1.25  -0.5000    1.0000",
    ]


def test_report_refuses_unknown_tasks():
    with pytest.raises(ValueError, match="Did you mean 'click'"):
        format_report({"click": {"auc": 0.5}}, {"best": {"clck": 0.8}})


def test_json_safe():
    value = {
        "a": NAN,
        "b": [np.float32(0.5), np.inf, (1, np.bool_(True))],
        "c": np.array([1.0, NAN]),
        "d": {"e": "text", "f": None},
    }
    safe = json_safe(value)
    assert safe == {
        "a": None,
        "b": [0.5, None, [1, True]],
        "c": [1.0, None],
        "d": {"e": "text", "f": None},
    }
    json.dumps(safe, allow_nan=False)
