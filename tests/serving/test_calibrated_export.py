"""Calibration as a part of the served graph."""

import json

import numpy as np
import pytest
from serving_examples import inputs_of

from keras_infnet.data import Batches
from keras_infnet.serving import (
    Calibration,
    Servable,
    TaskCalibration,
    calibrate,
    export,
)
from keras_infnet.training.prediction import predict_rows

METHODS = {"click": "platt", "like": "temperature", "stay": "isotonic"}

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def calibration(model, encoder, table):
    return calibrate(model, encoder, table, METHODS, 0.2)


@pytest.fixture(scope="module")
def exported(model, encoder, table, calibration, tmp_path_factory):
    return export(
        model,
        encoder,
        tmp_path_factory.mktemp("saved_models") / "news",
        examples=table,
        metrics={"click": {"auc": 0.75}},
        candidates=["item", "tags"],
        calibration=calibration,
        warmup_rows=(),
    )


def expected(model, encoder, table, calibration):
    predictions = predict_rows(model, Batches(table, encoder, 100))
    # In words of their own: odds, and what each method makes of them.
    odds = {
        task: np.float64(p) / (1 - np.float64(p))
        for task, p in predictions.items()
    }
    click, like, stay = (t.calibrator for t in calibration.tasks)
    # Sampled are the tasks without `given`.
    odds["click"] *= 0.2
    odds["stay"] *= 0.2
    platt = odds["click"] ** click.slope * np.exp(click.intercept)
    cooled = odds["like"] ** (1 / like.temperature)
    sampled = odds["stay"] / (1 + odds["stay"])
    return {
        "click": platt / (1 + platt),
        "like": cooled / (1 + cooled),
        "stay": np.interp(sampled, stay.thresholds, stay.values),
    }


def test_both_signatures_answer_with_calibrated_values(
    exported, model, encoder, table, calibration
):
    import tensorflow as tf

    wanted = expected(model, encoder, table, calibration)
    servable = Servable.load(exported)
    raw = servable.predict_raw(table)
    inputs = inputs_of(encoder, table)
    served = tf.saved_model.load(str(exported)).signatures["serving_default"]
    encoded = served(**{n: tf.constant(a) for n, a in inputs.items()})
    for found in (raw, encoded):
        for task in ("click", "like"):
            np.testing.assert_allclose(found[task], wanted[task], atol=1e-5)
        # Steps of a free function are steep: most rows lie on flat parts.
        away = np.abs(np.asarray(found["stay"]) - wanted["stay"])
        assert np.median(away) < 1e-6 and np.quantile(away, 0.9) < 1e-4
    plain = predict_rows(model, Batches(table, encoder, 100))
    for task, values in plain.items():
        assert np.abs(wanted[task] - values).max() > 0.1


def test_what_lies_beside_the_graph(exported, calibration):
    found = Calibration.load(exported / "calibration.json")
    assert found == calibration
    parity = json.loads((exported / "parity.json").read_text("utf-8"))
    # All signatures were run and compared, the scores of candidates too.
    differences = parity["largest_difference"]
    assert {"rank", "rank_top_k", "serving_default"} < set(differences)
    worst = differences["serve_raw"]
    assert worst["click"] < 1e-5 and worst["like"] < 1e-5
    card = (exported / "README.md").read_text("utf-8")
    (section,) = [
        part for part in card.split("\n## ") if part.startswith("Calibration")
    ]
    click = calibration.task("click")
    assert f"sigmoid({click.calibrator.slope:.4g} * logit(p)" in section
    assert f"| click | before | 300 | {click.before.rate:.4f} |" in section
    assert f"| click | after | 300 | {click.after.rate:.4f} |" in section
    assert "`predict` of the trained model, then calibrated" in card


def test_without_a_calibration_the_card_says_nothing_of_it(model, encoder):
    from keras_infnet.serving.exporting.model_card import model_card

    parity = {"largest_difference": {}, "cases": []}
    card = model_card(model, encoder, "news", None, parity, None)
    assert "alibrat" not in card.partition("## Limits")[0]


@pytest.mark.parametrize(
    "task, message",
    [("clik", "'click'"), ("buy", "'buy'")],
)
def test_it_must_be_for_the_tasks_of_the_model(
    model, encoder, tmp_path, task, message
):
    calibration = Calibration([TaskCalibration(task, 0.5)])
    with pytest.raises(ValueError, match=message):
        export(model, encoder, tmp_path / "x", calibration=calibration)
    assert not list(tmp_path.iterdir())
