"""The streaming AUC against scikit-learn's exact one."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import roc_auc_score

from keras_infnet.metrics import AUC

NAN = float("nan")


def streamed(labels, predictions, weights=None, batch_size=1000, **kwargs):
    metric = AUC(**kwargs)
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


@pytest.mark.parametrize(
    "mean, spread",
    [
        (0.0, 1.0),
        (-4.0, 0.7),  # rare
        (-8.0, 1.5),  # predictions near 0
        (6.0, 1.0),  # predictions near 1
        (0.0, 0.1),  # an almost constant model
        (-3.0, 6.0),  # both ends clipped
    ],
)
def test_equals_scikit_learn(mean, spread):
    generator = np.random.default_rng(0)
    logits = generator.normal(mean, spread, 20_000)
    labels = generator.random(20_000) < sigmoid(logits)
    labels[:5], labels[5:10] = True, False
    labels = labels.astype("float32")
    predictions = sigmoid(logits).astype("float32")
    expected = roc_auc_score(labels, predictions)
    assert streamed(labels, predictions) == pytest.approx(expected, abs=1e-4)
    assert streamed(
        labels, logits.astype("float32"), from_logits=True
    ) == pytest.approx(expected, abs=1e-4)


def test_weights_whatever_the_batches():
    generator = np.random.default_rng(1)
    logits = generator.normal(-2, 1, 3000)
    labels = (generator.random(3000) < sigmoid(logits)).astype("float32")
    predictions = sigmoid(logits).astype("float32")
    weights = generator.integers(0, 4, 3000).astype("float32")
    expected = roc_auc_score(labels, predictions, sample_weight=weights)
    columns = [part[:, None] for part in (labels, predictions, weights)]
    found = {
        streamed(labels, predictions, weights, batch_size=3000),
        streamed(labels, predictions, weights, batch_size=170),
        streamed(*columns),
    }
    assert len(found) == 1
    assert found.pop() == pytest.approx(expected, abs=1e-4)


def test_ties_count_one_half():
    labels = np.array([0, 1, 0, 1], "float32")
    # By hand: of 4 pairs, 1 won, 3 tied.
    predictions = np.array([0.2, 0.7, 0.7, 0.7], "float32")
    assert streamed(labels, predictions) == pytest.approx((2 + 2 * 0.5) / 4)
    assert streamed(labels, np.full(4, 0.3, "float32")) == 0.5


def test_ends_of_the_range():
    labels = np.array([0, 1, 1], "float32")
    predictions = np.array([0.0, 1e-30, 1.0], "float32")
    # 0 and 1e-30 share the lowest bin: one pair tied, one won.
    assert streamed(labels, predictions) == pytest.approx(0.75)
    assert streamed(
        labels, np.array([-np.inf, 3.0, np.inf], "float32"), from_logits=True
    ) == pytest.approx(1.0)


def test_missing_labels_and_zero_weights_are_left_out():
    labels = np.array([0, 1, NAN, 1, 0], "float32")
    predictions = np.array([0.3, 0.2, 0.9, 0.8, NAN], "float32")
    weights = np.array([1, 1, 1, 1, 0], "float32")
    assert streamed(labels, predictions, weights) == pytest.approx(0.5)


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], [NAN, 1], [NAN, NAN]])
def test_undefined_where_a_class_is_absent(labels):
    labels = np.array(labels, "float32")
    assert np.isnan(streamed(labels, np.array([0.2, 0.4], "float32")))
    assert np.isnan(float(AUC().result()))


def test_broken_and_half_precision_predictions():
    labels = np.array([0, 1, 1], "float32")
    for bad in (NAN, 3.0, -1.0):
        predictions = np.array([0.1, bad, 0.9], "float32")
        assert np.isnan(streamed(labels, predictions))
    halves = ops.cast([[0.125], [0.5], [0.25]], "bfloat16")
    assert streamed(labels, halves) == 1.0


def test_counts_do_not_saturate():
    """Float32 counts stop at 2**24; these must not."""
    metric = AUC()
    many = np.full(2, 2.0**24, "float32")
    metric.update_state([0.0, 1.0], [0.5, 0.5], many)
    for _ in range(10):
        metric.update_state([0.0], [0.5])
    histogram = metric._histogram
    extra = ops.convert_to_numpy(histogram.rest)
    total = ops.convert_to_numpy(histogram.total)
    negatives = total[0].astype("float64") + extra[0]
    assert negatives.sum() == 2**24 + 10


def test_inside_fit():
    """Compiled, in the graph of every backend, with weights by task."""
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(640, 2)).astype("float32")
    weights = generator.integers(0, 2, 640).astype("float32")
    labels = (generator.random(640) < sigmoid(inputs[:, 0])).astype("float32")
    features = keras.Input((2,))
    outputs = {
        name: keras.layers.Dense(1, "sigmoid", name=name)(features)
        for name in ("click", "like")
    }
    model = keras.Model(features, outputs)
    model.compile(
        "sgd",
        loss={name: "binary_crossentropy" for name in outputs},
        weighted_metrics={name: [AUC()] for name in outputs},
        jit_compile=keras.backend.backend() == "jax",
    )
    data = {"click": labels, "like": 1 - labels}
    masks = {"click": weights, "like": 1 - weights}
    model.fit(inputs, data, sample_weight=masks, batch_size=64, verbose=0)
    result = model.evaluate(
        inputs,
        data,
        sample_weight=masks,
        batch_size=100,
        verbose=0,
        return_dict=True,
    )
    predictions = model.predict(inputs, verbose=0)
    for name in outputs:
        expected = roc_auc_score(
            data[name], predictions[name][:, 0], sample_weight=masks[name]
        )
        assert result[f"{name}_auc"] == pytest.approx(expected, abs=5e-4)


def test_reset_and_serialization():
    metric = AUC(num_bins=100, from_logits=True, name="area")
    metric.update_state([0.0, 1.0], [0.1, 0.3])
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == "keras_infnet.metrics>AUC"
    again = keras.metrics.deserialize(config)
    assert again.get_config() == metric.get_config()


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: num_bins=1"):
        AUC(num_bins=1)
    with pytest.raises(ValueError, match="labels and predictions must have"):
        AUC().update_state([0.0, 1.0], [0.1, 0.2, 0.3])
