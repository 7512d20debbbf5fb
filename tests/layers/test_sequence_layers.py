"""Layers of sequences with a target: values by hand, and padding."""

import numpy as np
import pytest
from gradients import run
from keras import ops
from layer_cases import EVENTS, D, normal, some_mask, symbols
from numpy_baselines import dense, layer_norm
from numpy_infnet import attend
from tiny import randomize

from keras_infnet import layers


def numpy(x):
    return ops.convert_to_numpy(x)


def test_dice_by_hand():
    layer = layers.Dice(epsilon=0.0)
    x = np.array([[1.0, -2.0]], "float32")
    layer(x)
    layer.normalization.moving_mean.assign([0.0, 1.0])
    layer.normalization.moving_variance.assign([4.0, 9.0])
    layer.alpha.assign([0.5, 0.25])
    p = 1 / (1 + np.exp(-np.array([0.5, -1.0])))
    expected = p * x + np.array([0.5, 0.25]) * (1 - p) * x
    np.testing.assert_allclose(numpy(layer(x)), expected, rtol=1e-6)


def test_dice_leaves_padding_out_of_its_statistics():
    layer, longer = layers.Dice(), layers.Dice()
    x, valid = normal(EVENTS, D), some_mask()
    far = np.where(valid[..., None], x, 1e3)
    known = numpy(layer(x, valid, training=True))
    padded = numpy(
        longer(
            np.pad(far, [(0, 0), (0, 2), (0, 0)], constant_values=7.0),
            np.pad(valid, [(0, 0), (0, 2)]),
            training=True,
        )
    )
    np.testing.assert_allclose(known[valid], padded[:, :EVENTS][valid], 1e-5)
    for a, b in zip(layer.weights, longer.weights, strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-5, atol=1e-6)
    mean = x[valid].mean(0)
    np.testing.assert_allclose(
        numpy(layer.normalization.moving_mean), 0.01 * mean, rtol=1e-4
    )


def test_attention_over_a_single_event_with_softmax_is_that_event():
    query, events = normal(2, D), normal(1, 2, D)
    layer = layers.TargetAttention(use_softmax=True)
    pooled = layer(query, events, np.ones((3, 1), bool))
    np.testing.assert_allclose(numpy(pooled), events[:, 0], rtol=1e-6)


def test_positions_count_back_from_the_target():
    layer = layers.TargetSequence(max_length=2, position_dim=1)
    query, events = np.full((1, 1, 1), 9.0), np.arange(5.0).reshape(1, 5, 1, 1)
    valid = np.array([[True, True, False, True, False]])
    layer(query, events, valid)
    layer.positions.assign([[10.0], [20.0], [30.0]])
    tokens = numpy(layer(query, events, valid))[0]
    np.testing.assert_allclose(tokens[:, 0], [0, 1, 2, 3, 4, 9])
    # The oldest of three events shares the last position.
    np.testing.assert_allclose(tokens[[0, 1, 3, 5], 1], [30, 30, 20, 10])


@pytest.mark.parametrize("heads", [1, 2])
def test_transformer_in_numpy(heads):
    x, valid = normal(EVENTS, 6), some_mask()
    layer = layers.TransformerBlock(heads, hidden_dim=5, activation="relu")
    layer(**symbols({"tokens": x, "mask": valid}))
    randomize(layer)
    w = {v.path.split("/", 1)[1]: numpy(v) for v in layer.weights}
    got = numpy(run(layer, {"tokens": x, "mask": valid}))
    query, key, value = (
        x @ w[f"{name}_kernel"] for name in ("query", "key", "value")
    )
    read = attend(query, key, value, valid, heads) @ w["output_kernel"]
    y = layer_norm(x + read, w, "normalization_0")
    hidden = np.maximum(dense(y, w, "feed_forward/hidden_0"), 0)
    y = y + dense(hidden, w, "feed_forward/output")
    expected = layer_norm(y, w, "normalization_1")
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_tokens_exchange_parts():
    """Two tokens of width four exchange halves."""
    block = layers.RankMixerBlock()
    tokens = np.arange(8.0, dtype="float32").reshape(1, 2, 4)
    block(tokens)
    for weight in (*block.hidden.weights, *block.output_layer.weights):
        weight.assign(np.zeros(weight.shape))
    mixed = np.array([[0.0, 1, 4, 5], [2, 3, 6, 7]]) + tokens[0]
    w = {"n/gamma": 1.0, "n/beta": 0.0}
    twice = layer_norm(layer_norm(mixed, w, "n"), w, "n")
    np.testing.assert_allclose(numpy(block(tokens))[0], twice, rtol=1e-5)
