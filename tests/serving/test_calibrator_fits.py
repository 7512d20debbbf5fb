"""Parameters of calibrators, beside scikit-learn's and known ones."""

import logging

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from keras_infnet.serving.calibration.calibrator_fits import (
    fit_isotonic,
    fit_platt,
    fit_temperature,
)


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def expected_rows(scores, truth):
    """Every row with both labels, weighted by how probable they are.

    On these the smallest log loss is that of the truth, without any noise.
    """
    labels = np.repeat([1.0, 0.0], len(scores))
    weights = np.concatenate([truth, 1 - truth])
    return sigmoid(np.tile(scores, 2)), labels, weights


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    scores = rng.normal(-2.0, 1.5, 3_000)
    labels = (rng.random(3_000) < sigmoid(0.6 * scores + 0.5)).astype(float)
    return scores, labels, rng.uniform(0.1, 3.0, 3_000)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    scores = np.random.default_rng(1).normal(-1.0, 2.0, 500)
    rows = expected_rows(scores, sigmoid(scores / temperature))
    found = fit_temperature(*rows).temperature
    assert found == pytest.approx(temperature, rel=1e-9)


@pytest.mark.parametrize("slope, intercept", [(0.5, 1.0), (3.0, 14.0)])
def test_a_known_slope_and_intercept_are_found(slope, intercept):
    scores = np.random.default_rng(1).normal(-6.0, 0.5, 500)
    rows = expected_rows(scores, sigmoid(slope * scores + intercept))
    found = fit_platt(*rows)
    assert found.slope == pytest.approx(slope, rel=1e-4)
    assert found.intercept == pytest.approx(intercept, rel=1e-3)


def test_isotonic_is_that_of_scikit_learn(drawn):
    scores, labels, weights = drawn
    predictions = sigmoid(scores).astype(np.float32).astype(np.float64)
    other = IsotonicRegression(out_of_bounds="clip")
    other.fit(predictions, labels, sample_weight=weights)
    found = fit_isotonic(predictions, labels, weights)
    assert 10 < len(found.thresholds) < 200
    tried = np.concatenate([np.linspace(0, 1, 5_001), predictions])
    np.testing.assert_allclose(
        found.apply(tried), other.predict(tried), rtol=0, atol=1e-12
    )


def test_one_prediction_for_all_rows():
    values = np.full(8, 0.5), np.array([1.0, 0, 0, 0] * 2), np.ones(8)
    assert fit_temperature(*values).temperature == 1.0
    found = fit_platt(*values)
    assert found.slope == 1.0
    assert found.apply(np.array([0.5]))[0] == pytest.approx(0.25, abs=1e-6)
    assert fit_isotonic(*values).values == (0.25,)


@pytest.mark.parametrize("fit", [fit_temperature, fit_platt])
def test_labels_that_predictions_turn_around(fit, caplog):
    predictions = sigmoid(np.array([-3.0, -1.0, 1.0, 3.0]))
    labels, weights = np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4)
    with caplog.at_level(logging.WARNING):
        found = fit(predictions, labels, weights)
        assert not caplog.text
        assert fit(predictions, labels, weights, "click") == found
    assert "task 'click': predictions hardly" in caplog.text
    # Nearly constant, and never a slope that turns the order around.
    steps = np.diff(found.apply(predictions))
    assert (steps > 0).all() and steps.sum() < 0.02


@pytest.mark.parametrize("fit", [fit_temperature, fit_platt])
def test_labels_that_a_threshold_splits(fit, caplog):
    predictions = sigmoid(np.array([-0.03, -0.01, 0.01, 0.03]))
    labels, weights = np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)
    with caplog.at_level(logging.WARNING):
        found = fit(predictions, labels, weights, "click")
    assert "task 'click': a threshold" in caplog.text
    expected = sigmoid(np.array([-3.0, -1.0, 1.0, 3.0]))
    np.testing.assert_allclose(found.apply(predictions), expected, rtol=1e-4)
