"""Layers of InterFormer: values by hand, flow between modes, positions."""

import numpy as np
import pytest
from gradients import run
from interformer_cases import RECENT, SIZES, SUMMARY, both, state
from keras import ops
from layer_cases import EVENTS, HUBS, D, normal, some_mask
from tiny import randomize

from keras_infnet import layers


def numpy(x):
    return ops.convert_to_numpy(x)


def call(layer, **inputs):
    """Builds the layer, randomizes its weights and calls it."""
    layer(**inputs)
    randomize(layer)
    return layer(**inputs)


# ------------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("merge", "masks", "positions", "recent"),
    [
        ("feature", [[1, 1, 0, 1, 0]], [3, 2, 0, 1, 0], [0, 1, 0, 2, 0]),
        # A single event is the last of the recent ones.
        ("feature", [[0, 1, 0]], [0, 1, 0], [0, 2, 0]),
        # Behaviors are aligned at their newest events.
        (
            "feature",
            [[1, 0, 1, 0], [1, 1, 1]],
            [0, 3, 2, 1],
            [0, 0, 1, 2],
        ),
        (
            "time",
            [[1, 0, 1, 0], [1, 1, 1]],
            [2, 0, 1, 0, 3, 2, 1],
            [1, 0, 2, 0, 0, 3, 4],
        ),
    ],
)
def test_positions_and_recent_events(merge, masks, positions, recent):
    masks = {f"behavior_{i}": np.array([m], bool) for i, m in enumerate(masks)}
    layer = layers.EventStream(list(masks), 3, 2, merge=merge)
    events = {n: np.ones((*mask.shape, 1, 2)) for n, mask in masks.items()}
    found = layer(events, mask=masks)
    assert numpy(found["positions"])[0].tolist() == positions
    assert numpy(found["recent"])[0].tolist() == recent
    assert numpy(found["mask"])[0].tolist() == [p > 0 for p in positions]


def test_events_are_merged_from_the_newest():
    """The mask net gets `[a ; b]` at the same position."""
    layer = layers.EventStream(["a", "b"], dim=2)
    a = np.array([[[[1.0]], [[9.0]], [[2.0]]]])
    b = np.array([[[[5.0]], [[7.0]]]])
    inputs = {
        "events": {"a": a, "b": b},
        "mask": {
            "a": np.array([[True, False, True]]),
            "b": np.array([[False, True]]),
        },
    }
    layer(**inputs)
    net = layer.mask_nets["merged"]
    net.mask_layer.kernel.assign(np.zeros((2, 2)))
    net.mask_layer.bias.assign([40.0, 40.0])  # gates of 1
    net.output_layer.kernel.assign(np.eye(2))
    np.testing.assert_allclose(
        numpy(layer(**inputs)["tokens"])[0],
        [[0.0, 0.0], [1.0, 0.0], [2.0, 7.0]],
        rtol=1e-6,
    )


def test_mask_net_with_zero_weights_halves_its_input():
    layer = layers.MaskNet(dim=2)
    x = np.array([[[2.0, 4.0]]], "float32")
    layer(x)
    for weight in layer.hidden_layer.weights + layer.mask_layer.weights:
        weight.assign(np.zeros(weight.shape))
    layer.output_layer.kernel.assign(np.eye(2))
    np.testing.assert_allclose(numpy(layer(x)), [[[1.0, 2.0]]], rtol=1e-6)


# ---------------------------------------------------------------- summaries


@pytest.mark.parametrize(
    "gate", [("self", "sigmoid"), ("paper", "sigmoid"), ("paper", "tanh")]
)
def test_missing_events_are_zero_in_the_summary(gate):
    layer = layers.CrossArch(**SIZES, gate=gate[0], gate_activation=gate[1])
    inputs = both(cls=False)
    found = numpy(call(layer, **inputs)["sequence"])
    assert found.shape == (3, SUMMARY + 2 + 2, D)
    recent = found[:, -2:]
    assert np.abs(recent[0]).min() > 0
    assert np.abs(recent[1, 0]).max() == 0 < np.abs(recent[1, 1]).min()
    assert np.abs(recent[2]).max() == 0
    if gate[0] == "self":
        for weight in layer.sequence_gate.weights:
            weight.assign(np.zeros(weight.shape))
        recent = numpy(layer(**inputs)["sequence"])[:, -2:]
        # x * sigmoid(0)
        expected = inputs["events"][0, [1, 3]] / 2
        np.testing.assert_allclose(recent[0], expected, rtol=1e-6)


def test_padding_is_left_out_whatever_its_number():
    layer, inputs = layers.CrossArch(**SIZES), both(cls=False)
    expected = numpy(call(layer, **inputs)["sequence"])
    inputs["recent"] = np.where(some_mask(), RECENT, 1)
    got = numpy(layer(**inputs)["sequence"])
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_summary_of_fields_replaces_missing_cls():
    layer, inputs = layers.CrossArch(**SIZES), both(cls=False)
    first = call(layer, **inputs)
    again = layer(**inputs, cls=first["tokens"])
    for name in ("tokens", "sequence"):
        np.testing.assert_allclose(
            numpy(first[name]), numpy(again[name]), rtol=1e-6
        )


# ------------------------------------------------------------ personal FFN


def test_low_rank_equals_the_matrix_written_out():
    layer = layers.PersonalizedFFN("lowrank")
    sequence, summary = normal(EVENTS, D), normal(HUBS, D)
    got = numpy(call(layer, sequence=sequence, summary=summary))
    kernel = numpy(layer.kernel)
    for row in range(3):
        matrix = kernel.T @ summary[row]
        assert matrix.shape == (D, D)
        np.testing.assert_allclose(
            got[row], sequence[row] @ matrix, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("mode", ["lowrank", "hyper", "twolayer"])
def test_weights_depend_on_the_summary_of_the_row(mode):
    layer = layers.PersonalizedFFN(mode)
    sequence, summary = normal(EVENTS, D), normal(HUBS, D)
    before = numpy(call(layer, sequence=sequence, summary=summary))
    summary[1] += 1.0
    after = numpy(layer(sequence=sequence, summary=summary))
    change = np.abs(after - before).max(axis=(1, 2))
    assert change[1] > 1e-3 and change[0] < 1e-6 and change[2] < 1e-6


# -------------------------------------------------------- rotary positions


def test_scores_depend_on_differences_of_positions():
    layer = layers.RotaryAttention(2)
    x, valid = normal(EVENTS, D), some_mask()
    places = np.array([[4, 3, 2, 1, 0]] * 3, "int32")

    def read(queries, keys):
        return numpy(
            layer(x, x, valid, query_positions=queries, positions=keys)
        )

    inputs = {"query_positions": places, "positions": places}
    expected = numpy(
        call(layer, query=x, source=x, source_mask=valid, **inputs)
    )
    moved = read(places + 7, places + 7)
    np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-4)
    # The first row has events at different positions.
    assert np.abs(read(places, places + 7) - expected)[0].max() > 1e-4
    assert np.abs(read(places, 2 * places) - expected)[0].max() > 1e-4


def test_order_does_not_matter_without_positions():
    layer = layers.RotaryAttention(2)
    query, x = normal(HUBS, D), normal(EVENTS, D)
    expected = numpy(call(layer, query=query, source=x))
    got = numpy(layer(query, x[:, ::-1].copy()))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------- the blocks


def test_interaction_by_hand():
    """Ones as kernels: the sum of the products of all pairs."""
    layer = layers.InteractionArch("dot", residual=False)
    tokens = np.array([[[1.0, 2.0], [3.0, 4.0]]], "float32")
    summary = np.array([[[0.5, 1.0]]], "float32")
    layer(tokens, summary)
    layer.restore.kernel.assign(np.ones((3, 4)))
    # 11 + 2.5 + 5.5
    np.testing.assert_allclose(
        numpy(layer(tokens, summary)), np.full((1, 2, 2), 19.0), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("exchange", "fields_reach_events", "events_reach_fields"),
    [
        ("both", True, True),
        ("n2s", True, False),
        ("s2n", False, True),
        ("none", False, False),
    ],
)
def test_exchange_of_modes(exchange, fields_reach_events, events_reach_fields):
    """A change of one mode reaches the other as `exchange` says."""
    more = ("cls",) if exchange in ("both", "n2s") else ("cls", "summary")
    inputs = state(*more)
    block = layers.InterFormerBlock(**SIZES, cross_rank=2, exchange=exchange)
    before = call(block, **inputs)
    for name, other, reach in (
        ("tokens", "events", fields_reach_events),
        ("events", "tokens", events_reach_fields),
    ):
        moved = inputs[name] + normal(1, D)
        if name == "events":
            moved = moved * some_mask()[..., None]
        after = run(block, {**inputs, name: moved})
        assert np.abs(numpy(after[name]) - numpy(before[name])).max() > 1e-3
        change = np.abs(numpy(after[other]) - numpy(before[other])).max()
        assert change > 1e-4 if reach else change < 1e-5
