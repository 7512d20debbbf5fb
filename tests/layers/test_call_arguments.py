"""Call arguments: mistakes are named, arguments that keras-rs has."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_cases import EVENTS, FIELDS, D, normal, some_mask

from keras_infnet import layers

TOKENS = normal(FIELDS, D)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: layers.HubBlock(["task"], [])(
                categorical=TOKENS, task=TOKENS
            ),
            ValueError,
            "`task_hubs` must be given",
        ),
        (
            lambda: layers.ProxyBlock(["task"], [])(
                categorical=TOKENS, task_proxies=TOKENS
            ),
            ValueError,
            "`task` must be given",
        ),
        (
            lambda: layers.AllToAllBlock("hub", ["task"], [])(tasks=TOKENS),
            TypeError,
            "tasks",
        ),
        (
            lambda: layers.AllToAllBlock("hub", ["task"], [])(
                task=TOKENS, categorical=normal(FIELDS, 3)
            ),
            ValueError,
            "same width.*categorical of width 3",
        ),
        (
            lambda: layers.EventStream(["a"])({"b": normal(EVENTS, 1, 2)}),
            ValueError,
            r"`events`.*\['b'\]",
        ),
        (
            lambda: layers.EventTokenizer(4, num_gaps=3)(normal(EVENTS, 1, 2)),
            ValueError,
            "`gap` must be given.*num_gaps=3",
        ),
        (
            lambda: layers.FeatureCross()(normal(4), normal(3)),
            ValueError,
            "`x0` and `x`",
        ),
        (
            lambda: layers.FeatureCross(diag_scale=-1.0),
            ValueError,
            "diag_scale=-1.0",
        ),
        (lambda: layers.MLP(3, dropout=1.0), ValueError, "dropout=1.0"),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_feature_cross_has_the_arguments_of_keras_rs():
    """`x0 * (relu(W x + b) + 0.5 x) + x` with kernels and bias of ones."""
    layer = layers.FeatureCross(
        diag_scale=0.5,
        pre_activation="relu",
        kernel_initializer="ones",
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.5),
        bias_constraint="non_neg",
    )
    x0, x = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    expected = x0 * (3.0 + 0.5 * x) + x
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x0, x)), expected)
    # Half of the sum of four squares of one.
    np.testing.assert_allclose(ops.convert_to_numpy(layer.losses[0]), 2.0)
    assert isinstance(layer.bias.constraint, keras.constraints.NonNeg)
    bare = layers.FeatureCross(use_bias=False)
    bare(x0)
    assert len(bare.weights) == 1


def test_masks_of_attributes_are_masks_of_events():
    """`Embedding(mask_zero=True)` masks every attribute on its own."""
    ids = np.where(some_mask()[..., None], [[3, 0]], 0)  # the second is missing
    embed = keras.layers.Embedding(5, D, mask_zero=True)
    attention = layers.TargetAttention(activation="relu")
    query, events = normal(2, D), embed(ids)
    got = attention(query, events)
    plain = ops.convert_to_tensor(ops.convert_to_numpy(events))
    expected = attention(query, plain, events_mask=some_mask())
    np.testing.assert_allclose(
        ops.convert_to_numpy(got), ops.convert_to_numpy(expected), rtol=1e-5
    )
