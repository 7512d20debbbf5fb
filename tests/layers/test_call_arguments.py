"""Wrong constructor and call arguments are named; shared arguments work."""

import keras
import numpy as np
import pytest
from interformer_cases import POSITIONS, RECENT, state
from keras import ops
from layer_cases import EVENTS, FIELDS, D, normal, some_mask

from keras_infnet import layers

TOKENS, EVENT_TOKENS = normal(FIELDS, D), normal(EVENTS, D)
TARGET, TARGET_EVENTS = normal(2, D), normal(EVENTS, 2, D)
SHORT = some_mask()[:, 1:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MLP(3, dropout=1.0), "dropout=1.0"),
        (lambda: layers.MLP(2, (3, 0)), r"hidden_dims=\(3, 0\)"),
        (lambda: layers.LearnedTokens(2, dim=True), "dim=True"),
        (lambda: layers.ProxyGatedUnit(expansion=1.5), "expansion=1.5"),
        (lambda: layers.TokenCompression("4"), "num_tokens='4'"),
        (lambda: layers.FeatureCross(diag_scale=-1.0), "diag_scale=-1.0"),
        (
            lambda: layers.FeatureCross()(normal(4), normal(3)),
            r"x0 of shape \(3, 4\), x of shape \(3, 3\)",
        ),
        (
            lambda: layers.HubBlock(["task"], [])(
                categorical=TOKENS, task=TOKENS
            ),
            "`task_hubs`",
        ),
        (
            lambda: layers.ProxyBlock(["task"], [])(
                categorical=TOKENS, task_proxies=TOKENS
            ),
            "`task` must be given",
        ),
        (
            lambda: layers.AllToAllBlock("hub", ["task"], [])(
                task=TOKENS, categorical=normal(FIELDS, 3)
            ),
            "categorical of width 3",
        ),
        (
            lambda: layers.EventStream(["a"])({"b": normal(EVENTS, 1, 2)}),
            r"`events`.*\['b'\]",
        ),
        (
            lambda: layers.EventTokenizer(4, num_gaps=3)(normal(EVENTS, 1, 2)),
            "`gap`.*num_gaps=3",
        ),
        (
            lambda: layers.CrossAttention(6, project_query=False)(
                TOKENS, EVENT_TOKENS
            ),
            r"`query`.*\(3, 2, 4\), dim=6",
        ),
        (
            lambda: layers.TransformerBlock(3)(EVENT_TOKENS),
            "num_heads=3, tokens of width 4",
        ),
        (lambda: layers.RankMixerBlock()(normal(3, D)), "3 tokens of width 4"),
        (
            lambda: layers.RotaryAttention(4)(
                EVENT_TOKENS,
                EVENT_TOKENS,
                query_positions=POSITIONS,
                positions=POSITIONS,
            ),
            "even width.*num_heads=4, tokens of width 4",
        ),
        (
            lambda: layers.RotaryAttention(2)(
                EVENT_TOKENS, EVENT_TOKENS, positions=POSITIONS
            ),
            "`query_positions`.*None",
        ),
        (lambda: layers.InteractionArch("dot")(normal(1, D)), "1 token"),
        (lambda: layers.InteractionEnsemble(2)(normal(1, D)), r"\(3, 1, 4\)"),
        (
            lambda: layers.CrossArch(summarize="sequence")(
                TOKENS, EVENT_TOKENS, some_mask(), RECENT
            ),
            "`cls`.*summarize='sequence'",
        ),
        (
            lambda: layers.InterFormerBlock(exchange="s2n")(**state("cls")),
            "`summary`.*s2n.*missing",
        ),
        (
            lambda: layers.InterFormerBlock()(**state("summary")),
            "`summary`.*both.*given",
        ),
        (
            lambda: layers.BehaviorPooling()(EVENT_TOKENS, mask=SHORT),
            r"`mask`.*\(3, 4\), tokens of shape \(3, 5, 4\)",
        ),
        (
            lambda: layers.CrossAttention(4)(
                TOKENS, EVENT_TOKENS, some_mask()[:2]
            ),
            r"`source_mask`.*\(2, 5\), source of shape \(3, 5, 4\)",
        ),
        (
            lambda: layers.TargetAttention()(
                TARGET, TARGET_EVENTS, some_mask()[..., None]
            ),
            r"`events_mask`.*\(3, 5, 1\), events of shape \(3, 5, 2, 4\)",
        ),
        (
            lambda: layers.EventStream(["a"])(
                {"a": TARGET_EVENTS}, mask={"a": SHORT}
            ),
            r"`mask\['a'\]`.*\(3, 4\)",
        ),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_call_arguments_are_named():
    with pytest.raises(TypeError, match="tasks"):
        layers.AllToAllBlock("hub", ["task"], [])(tasks=TOKENS)


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


def test_attribute_masks_are_merged_into_event_masks():
    """`Embedding(mask_zero=True)` masks every attribute separately."""
    ids = np.where(some_mask()[..., None], [[3, 0]], 0)  # the second is missing
    embed = keras.layers.Embedding(5, D, mask_zero=True)
    attention = layers.TargetAttention(activation="relu")
    events = embed(ids)
    got = attention(TARGET, events)
    plain = ops.convert_to_tensor(ops.convert_to_numpy(events))
    expected = attention(TARGET, plain, events_mask=some_mask())
    np.testing.assert_allclose(
        ops.convert_to_numpy(got), ops.convert_to_numpy(expected), rtol=1e-5
    )
