"""Exact metrics of probabilities and of values against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_infnet.evaluation import (
    calibration,
    calibration_curve,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
    r2,
    rmse,
)

NAN = float("nan")
BINARY = [
    calibration,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
]


@st.composite
def rows(draw, elements):
    count = draw(st.integers(3, 40))
    return (
        draw(arrays(float, count, elements=elements)),
        draw(arrays(float, count, elements=st.floats(0.01, 0.99))),
        draw(arrays(float, count, elements=st.sampled_from([0, 1, 2, 0.5]))),
    )


def kept(labels, predictions, weights):
    mask = ~np.isnan(labels) & (weights > 0)
    return labels[mask], predictions[mask], weights[mask]


@settings(deadline=None, max_examples=150)
@given(rows(st.sampled_from([0.0, 1.0, NAN])))
def test_probabilities(rows):
    labels, predictions, weights = kept(*rows)
    if not len(labels):
        assert all(np.isnan(metric(*rows)) for metric in BINARY)
        return
    loss = sklearn.metrics.log_loss(
        labels, predictions, sample_weight=weights, labels=[0, 1]
    )
    np.testing.assert_allclose(log_loss(*rows), loss)
    if labels.any():
        np.testing.assert_allclose(
            calibration(*rows),
            (weights * predictions).sum() / (weights * labels).sum(),
        )
    else:
        assert np.isnan(calibration(*rows))
    if 0 < labels.mean() < 1:
        rate = np.average(labels, weights=weights)
        base = sklearn.metrics.log_loss(
            labels, np.full(len(labels), rate), sample_weight=weights
        )
        np.testing.assert_allclose(normalized_entropy(*rows), loss / base)
    else:
        assert np.isnan(normalized_entropy(*rows))


@settings(deadline=None, max_examples=150)
@given(rows(st.integers(-50, 50).map(float) | st.just(NAN)))
def test_values(rows):
    labels, predictions, weights = kept(*rows)
    if not len(labels):
        assert np.isnan(rmse(*rows)) and np.isnan(r2(*rows))
        return
    error = sklearn.metrics.mean_squared_error(
        labels, predictions, sample_weight=weights
    )
    np.testing.assert_allclose(rmse(*rows), np.sqrt(error))
    if len(set(labels)) > 1:
        np.testing.assert_allclose(
            r2(*rows),
            sklearn.metrics.r2_score(
                labels, predictions, sample_weight=weights
            ),
            atol=1e-9,
        )
    else:
        assert np.isnan(r2(*rows))


def test_log_loss_clips():
    np.testing.assert_allclose(log_loss([1, 0], [0.0, 0.5]), 8.4056215, 1e-6)
    np.testing.assert_allclose(log_loss([1], [0.0]), -np.log(1e-7), rtol=1e-12)


@pytest.mark.parametrize("binning", ["quantile", "uniform"])
def test_calibration_curve_by_scikit_learn(binning):
    from sklearn.calibration import calibration_curve as reference

    generator = np.random.default_rng(0)
    predictions = generator.random(3000)
    labels = (generator.random(3000) < predictions).astype(float)
    curve = calibration_curve(labels, predictions, binning=binning, num_bins=7)
    observed, predicted = reference(
        labels, predictions, n_bins=7, strategy=binning
    )
    np.testing.assert_allclose(curve.predicted, predicted)
    np.testing.assert_allclose(curve.observed, observed)
    assert curve.weight.sum() == 3000


def test_calibration_curve_weights_and_ties():
    labels = np.array([1, 0, 0, 1, NAN])
    predictions = np.array([0.2, 0.2, 0.2, 0.9, 0.9])
    weights = np.array([3, 1, 2, 4, 1])
    curve = calibration_curve(labels, predictions, weights, num_bins=5)
    np.testing.assert_allclose(curve.predicted, [0.2, 0.9])
    np.testing.assert_allclose(curve.observed, [0.5, 1.0])
    np.testing.assert_allclose(curve.weight, [6, 4])
    # (6 * 0.3 + 4 * 0.1) / 10
    np.testing.assert_allclose(
        expected_calibration_error(labels, predictions, weights), 0.22
    )


def test_a_constant_prediction_is_one_bin():
    curve = calibration_curve([0, 1, 1, 1], np.full(4, 0.5))
    assert curve.predicted.tolist() == [0.5]
    assert curve.observed.tolist() == [0.75]


def test_no_rows():
    assert len(calibration_curve([NAN], [0.5]).weight) == 0


@pytest.mark.parametrize("metric", BINARY)
def test_logits_are_refused(metric):
    with pytest.raises(ValueError, match="predictions .*-1 to 3"):
        metric([0, 1], [-1.0, 3.0])


def test_errors():
    with pytest.raises(ValueError, match="Did you mean 'quantile'"):
        calibration_curve([0], [0.5], binning="quantiles")
    with pytest.raises(ValueError, match="num_bins=0"):
        calibration_curve([0], [0.5], num_bins=0)
    with pytest.raises(ValueError, match="labels .*inf in row 0"):
        rmse([np.inf], [0.5])
