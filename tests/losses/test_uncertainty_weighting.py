"""Learned task weights, by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_infnet.losses import UncertaintyWeighting


def value(tensor):
    return float(ops.convert_to_numpy(tensor))


def test_value_by_hand():
    layer = UncertaintyWeighting(["binary", "regression"])
    losses = np.array([0.7, 3.0], "float32")
    # exp(0) * 0.7 + 0 + exp(0) * 3 / 2 + 0
    np.testing.assert_allclose(value(layer(losses)), 2.2, rtol=1e-6)
    layer.log_variances.assign([np.log(2.0), np.log(4.0)])
    expected = 0.7 / 2 + np.log(2) / 2 + 0.5 * 3 / 4 + np.log(4) / 2
    np.testing.assert_allclose(value(layer(losses)), expected, rtol=1e-6)


def test_list_and_stacked_losses_agree():
    layer = UncertaintyWeighting(["binary", "binary"])
    listed = layer([ops.convert_to_tensor(0.3), ops.convert_to_tensor(0.4)])
    stacked = layer(ops.convert_to_tensor([0.3, 0.4]))
    np.testing.assert_allclose(value(listed), 0.7, rtol=1e-6)
    np.testing.assert_allclose(value(stacked), 0.7, rtol=1e-6)
    assert tuple(listed.shape) == tuple(stacked.shape) == ()


def test_log_variances_are_learned():
    """They converge to exp(s) = 2 c L, where the derivative is zero."""
    losses = np.array([0.5, 2.0], "float32")
    inputs = keras.Input(batch_shape=(2,))
    layer = UncertaintyWeighting(["binary", "regression"])
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.5), loss=lambda y_true, y_pred: y_pred)
    for _ in range(100):
        model.train_on_batch(losses, np.zeros(2, "float32"))
    np.testing.assert_allclose(
        np.exp(layer.get_weights()[0]), [1.0, 2.0], rtol=1e-3
    )


def test_stays_in_float32_under_mixed_precision():
    layer = UncertaintyWeighting(["binary"], dtype="mixed_bfloat16")
    total = layer(ops.convert_to_tensor([0.1234567], dtype="float32"))
    assert keras.backend.standardize_dtype(total.dtype) == "float32"
    np.testing.assert_allclose(value(total), 0.1234567, rtol=1e-6)


def test_serialization():
    layer = UncertaintyWeighting(["binary", "regression"], name="weighting")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    again.build((2,))
    assert [tuple(w.shape) for w in again.trainable_weights] == [(2,)]


def test_bad_arguments():
    with pytest.raises(ValueError, match="Did you mean 'binary'"):
        UncertaintyWeighting(["binry"])
    with pytest.raises(ValueError, match="kinds='binary'"):
        UncertaintyWeighting("binary")
    with pytest.raises(ValueError, match=r"`losses`.*\(2,\)"):
        UncertaintyWeighting(["binary"])(ops.ones((2,)))
