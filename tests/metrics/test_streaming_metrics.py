"""Metrics over many batches, with weights and missing labels."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

from keras_infnet.metrics import (
    AUC,
    Calibration,
    LogLoss,
    NormalizedEntropy,
    RootMeanSquaredError,
    task_metrics,
)
from keras_infnet.schema import Categorical, Schema, Task

NAN = float("nan")


def normalized_entropy(labels, predictions, weights):
    rate = np.average(labels, weights=weights)
    constant = np.full(len(labels), rate)
    return log_loss(labels, predictions, sample_weight=weights) / log_loss(
        labels, constant, sample_weight=weights
    )


EXPECTED = {
    AUC: lambda y, p, w: roc_auc_score(y, p, sample_weight=w),
    Calibration: lambda y, p, w: (w * p).sum() / (w * y).sum(),
    LogLoss: lambda y, p, w: log_loss(y, p, sample_weight=w),
    NormalizedEntropy: normalized_entropy,
    RootMeanSquaredError: lambda y, p, w: np.sqrt(
        mean_squared_error(y, p, sample_weight=w)
    ),
}
each_metric = pytest.mark.parametrize("cls", EXPECTED)


def streamed(metric, labels, predictions, weights=None, batch_size=70):
    for start in range(0, len(labels), batch_size):
        rows = slice(start, start + batch_size)
        metric.update_state(
            labels[rows],
            predictions[rows],
            None if weights is None else weights[rows],
        )
    return float(metric.result())


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    predictions = generator.uniform(0.01, 0.6, (500, 1)).astype("float32")
    labels = (generator.random(500) < predictions[:, 0]).astype("float32")
    weights = generator.integers(0, 4, 500).astype("float32")
    return labels, predictions, weights


@each_metric
def test_weighted_plain_and_from_logits(cls, rows):
    labels, predictions, weights = rows
    if cls is RootMeanSquaredError:
        labels, predictions = 100 + 5 * labels, 100 + 9 * predictions
    p, ones = predictions[:, 0], np.ones(500)
    expected = pytest.approx(EXPECTED[cls](labels, p, weights), rel=1e-4)
    assert streamed(cls(), labels, predictions, weights) == expected
    columns = labels[:, None], predictions, weights[:, None]
    assert streamed(cls(), *columns, batch_size=500) == expected
    plain = pytest.approx(EXPECTED[cls](labels, p, ones), rel=1e-4)
    assert streamed(cls(), labels, predictions) == plain
    if cls is not RootMeanSquaredError:
        logits = np.log(predictions / (1 - predictions))
        metric = cls(from_logits=True)
        assert streamed(metric, labels, logits, weights) == expected


@each_metric
def test_rows_without_label_or_weight_are_left_out(cls, rows):
    labels, predictions, weights = rows
    expected = streamed(cls(), labels[100:], predictions[100:], weights[100:])
    labels, predictions = labels.copy(), predictions.copy()
    labels[:50] = NAN
    weights = np.concatenate([np.zeros(100, "float32"), weights[100:]])
    weights[:50] = 1.0
    predictions[50:100] = NAN
    actual = streamed(cls(), labels, predictions, weights)
    assert actual == pytest.approx(expected, rel=1e-6)


@each_metric
def test_undefined_without_rows(cls):
    metric = cls()
    assert np.isnan(float(metric.result()))
    metric.update_state([NAN, NAN], [0.5, 0.5])
    assert np.isnan(float(metric.result()))
    metric.update_state([0.0, 1.0], [0.5, 0.5])
    assert np.isfinite(float(metric.result()))
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_undefined_without_positives():
    labels, predictions = np.zeros(3, "float32"), np.full(3, 0.2, "float32")
    for metric in (AUC(), Calibration(), NormalizedEntropy()):
        assert np.isnan(streamed(metric, labels, predictions))
    assert np.isnan(streamed(AUC(), 1 - labels, predictions))
    assert streamed(LogLoss(), labels, predictions) == pytest.approx(
        -np.log(0.8), rel=1e-5
    )


@each_metric
def test_nan_and_half_precision_predictions(cls):
    labels = np.array([0.0, 1.0], "float32")
    broken = np.array([0.2, NAN], "float32")
    assert np.isnan(streamed(cls(), labels, broken))
    halves = np.array([0.25, 0.5], "float32")
    metric = cls()
    metric.update_state(labels, ops.cast(halves, "float16"))
    assert float(metric.result()) == streamed(cls(), labels, halves)


def test_sums_keep_what_rounding_drops():
    """A float32 sum of 2**24 and any number of ones is 2**24."""
    calibration, auc = Calibration(), AUC()
    big = np.array([2.0**24, 2.0**24], "float32")
    calibration.update_state([1.0, 1.0], [0.5, 0.5], big)
    auc.update_state([0.0, 1.0], [0.1, 0.3], big)
    for _ in range(300):
        calibration.update_state([1.0], [0.0])
        auc.update_state([0.0], [0.5])
    expected = 2**24 / (2**25 + 300)
    assert float(calibration.result()) == pytest.approx(expected, rel=1e-7)
    # 300 negatives lie above all positives.
    expected = 2**24 / (2**24 + 300)
    assert float(auc.result()) == pytest.approx(expected, rel=1e-7)


@each_metric
def test_serialization(cls):
    metric = cls(name="other")
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == f"keras_infnet.metrics>{cls.__name__}"
    again = keras.metrics.deserialize(config)
    assert again.get_config() == metric.get_config()


@pytest.mark.parametrize(
    "mean, spread",
    [
        (-4.0, 0.7),  # rare
        (-8.0, 1.5),  # predictions near 0
        (6.0, 1.0),  # predictions near 1
        (0.0, 0.1),  # an almost constant model
        (-3.0, 6.0),  # both ends clipped
    ],
)
def test_auc_of_many_distributions(mean, spread):
    generator = np.random.default_rng(0)
    logits = generator.normal(mean, spread, 20_000)
    labels = generator.random(20_000) < sigmoid(logits)
    labels[:5], labels[5:10] = True, False
    labels = labels.astype("float32")
    predictions = sigmoid(logits).astype("float32")
    expected = roc_auc_score(labels, predictions)
    found = streamed(AUC(), labels, predictions, batch_size=1000)
    assert found == pytest.approx(expected, abs=1e-4)


def test_ties_count_one_half():
    labels = np.array([0, 1, 0, 1], "float32")
    # Of 4 pairs, 2 won and 2 tied.
    predictions = np.array([0.2, 0.7, 0.7, 0.7], "float32")
    assert streamed(AUC(), labels, predictions) == pytest.approx(0.75)
    assert streamed(AUC(), labels, np.full(4, 0.3, "float32")) == 0.5


def test_ends_of_the_range():
    labels = np.array([0, 1, 1], "float32")
    # 0 and 1e-30 share the lowest bin: one pair tied, one won.
    predictions = np.array([0.0, 1e-30, 1.0], "float32")
    assert streamed(AUC(), labels, predictions) == pytest.approx(0.75)
    logits = np.array([-np.inf, 3.0, np.inf], "float32")
    metric = AUC(from_logits=True)
    assert streamed(metric, labels, logits) == pytest.approx(1.0)
    for bad in (3.0, -1.0):
        predictions = np.array([0.1, bad, 0.9], "float32")
        assert np.isnan(streamed(AUC(), labels, predictions))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="Received: num_bins=1"):
        AUC(num_bins=1)
    with pytest.raises(ValueError, match=r"predictions of shape \(3,\)"):
        AUC().update_state([0.0, 1.0], [0.1, 0.2, 0.3])


def test_task_metrics_inside_evaluate():
    """Names are task and metric; a task without positives is undefined."""
    schema = Schema(
        [Categorical("item_id")],
        [Task("click"), Task("like"), Task("seconds", kind="regression")],
    )
    metrics = task_metrics(schema)
    assert [type(m) for m in metrics["click"]] == [AUC, LogLoss, Calibration]
    features = keras.Input((2,))
    model = keras.Model(
        features,
        {
            name: keras.layers.Dense(
                1,
                None if name == "seconds" else "sigmoid",
                kernel_initializer="zeros",
                name=name,
            )(features)
            for name in schema.task_names
        },
    )
    model.compile(loss="mse", weighted_metrics=metrics)
    ones, zeros = np.ones(4, "float32"), np.zeros(4, "float32")
    labels = {
        "click": np.array([0, 1, 1, 0], "float32"),
        "like": zeros,
        "seconds": np.array([3, 4, 0, 0], "float32"),
    }
    weights = {
        "click": ones,
        "like": ones,
        "seconds": np.array([1, 1, 0, 0], "float32"),
    }
    result = model.evaluate(
        np.zeros((4, 2), "float32"),
        labels,
        sample_weight=weights,
        batch_size=2,
        verbose=0,
        return_dict=True,
    )
    assert result["click_auc"] == 0.5
    assert result["click_calibration"] == 1.0
    assert result["click_log_loss"] == pytest.approx(np.log(2), rel=1e-5)
    assert np.isnan(result["like_auc"])
    assert np.isnan(result["like_calibration"])
    assert result["seconds_rmse"] == pytest.approx(np.sqrt(12.5), rel=1e-5)
