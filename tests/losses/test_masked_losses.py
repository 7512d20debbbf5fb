"""A missing label equals dropping the row, in loss and gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_infnet.losses import (
    MaskedBinaryCrossentropy,
    MaskedMeanSquaredError,
    task_loss_weights,
    task_losses,
)
from keras_infnet.schema import Categorical, Schema, Task

NAN = float("nan")
LOSSES = [MaskedBinaryCrossentropy, MaskedMeanSquaredError]


def by_hand(loss, labels, predictions, weights):
    total, count = 0.0, 0.0
    for y, p, w in zip(labels, predictions, weights, strict=True):
        if w == 0 or np.isnan(y):
            continue
        if isinstance(loss, MaskedMeanSquaredError):
            value = (p - y) ** 2
        else:
            value = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        total, count = total + w * value, count + w
    return total / count if count else 0.0


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    labels = (generator.random(50) < 0.3).astype("float32")
    labels[::7] = NAN
    predictions = generator.uniform(0.01, 0.99, (50, 1)).astype("float32")
    weights = generator.integers(0, 3, 50).astype("float32")
    return labels, predictions, weights


@pytest.mark.parametrize("cls", LOSSES)
def test_weighted_mean_over_rows_with_a_label(cls, rows):
    labels, predictions, weights = rows
    kept = ~np.isnan(labels)
    ones = np.ones(50, "float32")
    for given, used in (
        (weights, weights),
        (weights[:, None], weights),
        (None, ones),
        (3.0, ones),  # cancels out
    ):
        y = labels if given is None else labels[:, None]
        expected = by_hand(cls(), labels, predictions[:, 0], used)
        found = float(cls()(y, predictions, given))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        dropped = cls()(labels[kept], predictions[kept], used[kept])
        np.testing.assert_allclose(found, float(dropped), rtol=1e-6)


@pytest.mark.parametrize("cls", LOSSES)
@pytest.mark.parametrize(
    "labels, weights", [([1, 0], [0, 0]), ([NAN, NAN], [1, 1])]
)
def test_the_loss_is_zero_without_labels(cls, labels, weights):
    value = cls()(
        np.array(labels, "float32"),
        np.array([[0.2], [0.7]], "float32"),
        np.array(weights, "float32"),
    )
    assert float(value) == 0.0


def test_no_reduction_gives_a_value_per_row():
    loss = MaskedMeanSquaredError(reduction="none")
    values = loss([1.0, NAN, 0.0], [[3.0], [1.0], [1.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(values), [4.0, 0.0, 1.0])


def test_from_logits_equals_probabilities():
    logits = np.array([[-3.0], [0.5], [2.0]], "float32")
    labels = np.array([0, 1, 1], "float32")
    np.testing.assert_allclose(
        float(MaskedBinaryCrossentropy(from_logits=True)(labels, logits)),
        float(MaskedBinaryCrossentropy()(labels, 1 / (1 + np.exp(-logits)))),
        rtol=1e-5,
    )


def test_label_smoothing_by_hand():
    # Labels 1 and 0 become 0.9 and 0.1.
    value = MaskedBinaryCrossentropy(label_smoothing=0.2)(
        [1.0, 0.0], [[0.8], [0.8]]
    )
    first = -0.9 * np.log(0.8) - 0.1 * np.log(0.2)
    second = -0.1 * np.log(0.8) - 0.9 * np.log(0.2)
    np.testing.assert_allclose(float(value), (first + second) / 2, rtol=1e-5)


def test_half_precision_predictions_are_computed_in_float32():
    predictions = ops.cast([[0.25], [0.5]], "float16")
    value = MaskedBinaryCrossentropy()([1.0, 0.0], predictions)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(
        float(value), (np.log(4) + np.log(2)) / 2, rtol=1e-6
    )


@pytest.mark.parametrize("cls", LOSSES)
def test_saturated_and_nan_predictions(cls):
    assert np.isfinite(float(cls()([1.0, 0.0], [[0.0], [1.0]])))
    assert np.isnan(float(cls()([1.0, 0.0], [[NAN], [0.5]])))


@pytest.mark.parametrize("cls", LOSSES)
def test_a_gradient_step_ignores_missing_rows(cls):
    """Training with NaN labels equals training without those rows."""
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(8, 3)).astype("float32")
    labels = (generator.random(8) < 0.5).astype("float32")
    labels[[1, 4]] = NAN
    kept = ~np.isnan(labels)

    def step(inputs, labels, weights):
        layer = keras.layers.Dense(
            1, "sigmoid", kernel_initializer=keras.initializers.Constant(0.1)
        )
        model = keras.Sequential([keras.layers.Input((3,)), layer])
        model.compile(keras.optimizers.SGD(0.5), cls())
        model.train_on_batch(inputs, labels, sample_weight=weights)
        return layer.get_weights()[0]

    expected = step(inputs[kept], labels[kept], np.ones(6, "float32"))
    actual = step(inputs, labels, np.ones(8, "float32"))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    unchanged = step(inputs, labels, np.zeros(8, "float32"))
    np.testing.assert_allclose(unchanged, np.full((3, 1), 0.1), rtol=1e-6)


@pytest.mark.parametrize("cls", LOSSES)
def test_rows_must_match(cls):
    with pytest.raises(ValueError, match=r"labels of shape \(1,\)"):
        cls()([1.0], [[0.5], [0.5]])
    with pytest.raises(ValueError, match=r"weights of shape \(3,\)"):
        cls()([1.0, 0.0], [[0.5], [0.5]], [1.0, 1.0, 1.0])


def test_bad_label_smoothing():
    with pytest.raises(ValueError, match="Received: label_smoothing=1.0"):
        MaskedBinaryCrossentropy(label_smoothing=1.0)


@pytest.mark.parametrize(
    "loss",
    [
        MaskedBinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        MaskedMeanSquaredError(name="error"),
    ],
)
def test_serialization(loss):
    config = keras.losses.serialize(loss)
    assert config["registered_name"].startswith("keras_infnet.losses>")
    again = keras.losses.deserialize(config)
    assert again.get_config() == loss.get_config()


def test_task_losses_follow_the_schema():
    schema = Schema(
        [Categorical("item_id")],
        [Task("click", weight=0.5), Task("seconds", kind="regression")],
    )
    losses = task_losses(schema)
    assert list(losses) == ["click", "seconds"]
    assert isinstance(losses["click"], MaskedBinaryCrossentropy)
    assert isinstance(losses["seconds"], MaskedMeanSquaredError)
    assert task_loss_weights(schema) == {"click": 0.5, "seconds": 1.0}
