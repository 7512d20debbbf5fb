"""Layers of sequences with a target: numbers by hand, padding, errors."""

import numpy as np
import pytest
from gradients import run
from keras import ops
from layer_cases import EVENTS, D, normal, some_mask, symbols
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


def test_padding_is_not_part_of_the_statistics_of_dice():
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
    width, x, valid = 6, normal(EVENTS, 6), some_mask()
    layer = layers.TransformerBlock(heads, hidden_dim=5, activation="relu")
    layer(**symbols({"tokens": x, "mask": valid}))
    randomize(layer)
    w = {v.path.split("/", 1)[1]: numpy(v) for v in layer.weights}
    got = numpy(run(layer, {"tokens": x, "mask": valid}))
    size = width // heads
    for row, mask, found in zip(x, valid, got, strict=True):
        if not mask.any():
            assert np.isfinite(found).all()
            continue
        read = np.zeros((EVENTS, width))
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            q, k, v = (
                row @ w[f"{name}_kernel"][:, part]
                for name in ("query", "key", "value")
            )
            scores = q @ k.T / np.sqrt(size)
            scores[:, ~mask] = -np.inf
            e = np.exp(scores - scores.max(1, keepdims=True))
            e /= e.sum(1, keepdims=True)
            read += e @ v @ w["output_kernel"][part]
        y = norm(row + read, w, "normalization_0")
        hidden = y @ w["feed_forward/hidden_0/kernel"]
        hidden = np.maximum(hidden + w["feed_forward/hidden_0/bias"], 0)
        out = hidden @ w["feed_forward/output/kernel"]
        out = norm(
            y + out + w["feed_forward/output/bias"], w, "normalization_1"
        )
        np.testing.assert_allclose(found, out, rtol=1e-4, atol=1e-5)


def norm(x, w, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * w[f"{name}/gamma"] + w[f"{name}/beta"]


def test_tokens_exchange_parts():
    """Two tokens of four numbers: halves change places."""
    block = layers.RankMixerBlock()
    tokens = np.arange(8.0, dtype="float32").reshape(1, 2, 4)
    block(tokens)
    for weight in (*block.hidden.weights, *block.output_layer.weights):
        weight.assign(np.zeros(weight.shape))
    mixed = np.array([[0.0, 1, 4, 5], [2, 3, 6, 7]]) + tokens[0]
    once = norm(mixed, {"n/gamma": 1.0, "n/beta": 0.0}, "n")
    twice = norm(once, {"n/gamma": 1.0, "n/beta": 0.0}, "n")
    np.testing.assert_allclose(numpy(block(tokens))[0], twice, rtol=1e-5)
