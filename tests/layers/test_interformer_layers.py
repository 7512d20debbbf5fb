"""Layers of InterFormer: numbers by hand, flow, positions, errors."""

import numpy as np
import pytest
from gradients import run
from interformer_cases import RECENT, SIZES, SUMMARY, state
from keras import ops
from layer_cases import EVENTS, FIELDS, HUBS, D, normal, some_mask
from tiny import randomize

from keras_infnet import layers


def numpy(x):
    return ops.convert_to_numpy(x)


def call(layer, **inputs):
    """Builds the layer, makes it random and runs it."""
    layer(**inputs)
    randomize(layer)
    return layer(**inputs)


# ------------------------------------------------------------------- events


def stream(merge="feature", num_recent_tokens=2, **masks):
    """Positions and all that, of events that do not matter."""
    layer = layers.EventStream(sorted(masks), 3, num_recent_tokens, merge=merge)
    masks = {name: np.array([mask], bool) for name, mask in masks.items()}
    events = {n: np.ones((*mask.shape, 1, 2)) for n, mask in masks.items()}
    found = layer(events, mask=masks)
    return {
        name: numpy(found[name])[0].tolist()
        for name in ("mask", "positions", "recent")
    }


def test_positions_count_valid_events_back():
    assert stream(a=[1, 1, 0, 1, 0]) == {
        "mask": [True, True, False, True, False],
        "positions": [3, 2, 0, 1, 0],
        "recent": [0, 1, 0, 2, 0],
    }


def test_a_single_event_is_the_last_of_the_recent():
    found = stream(a=[0, 1, 0])
    assert found["positions"] == [0, 1, 0]
    assert found["recent"] == [0, 2, 0]


def test_behaviors_meet_at_their_newest_events():
    found = stream(a=[1, 0, 1, 0], b=[1, 1, 1])
    assert found["mask"] == [False, True, True, True]
    assert found["positions"] == [0, 3, 2, 1]
    assert found["recent"] == [0, 0, 1, 2]


def test_behaviors_follow_each_other_in_time():
    found = stream("time", a=[1, 0, 1, 0], b=[1, 1, 1])
    assert found["positions"] == [2, 0, 1, 0, 3, 2, 1]
    assert found["recent"] == [1, 0, 2, 0, 0, 3, 4]
    assert found["mask"] == [p > 0 for p in found["positions"]]


def test_events_are_merged_by_recency():
    """The mask net sees `[a ; b]` of the same place counted from the end."""
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
    net.mask_layer.bias.assign([40.0, 40.0])  # lets all pass
    net.output_layer.kernel.assign(np.eye(2))
    np.testing.assert_allclose(
        numpy(layer(**inputs)["tokens"])[0],
        [[0.0, 0.0], [1.0, 0.0], [2.0, 7.0]],
        rtol=1e-6,
    )


def test_mask_net_halves_what_it_does_not_know():
    layer = layers.MaskNet(dim=2)
    x = np.array([[[2.0, 4.0]]], "float32")
    layer(x)
    for weight in layer.hidden_layer.weights + layer.mask_layer.weights:
        weight.assign(np.zeros(weight.shape))
    layer.output_layer.kernel.assign(np.eye(2))
    np.testing.assert_allclose(numpy(layer(x)), [[[1.0, 2.0]]], rtol=1e-6)


# ---------------------------------------------------------------- summaries


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({"gate": "self"}, 1.0),  # z * sigmoid(0) is half of z
        ({"gate": "paper"}, None),
        ({"gate": "paper", "gate_activation": "tanh"}, None),
    ],
)
def test_missing_events_are_zero_in_the_summary(how, kept):
    layer = layers.CrossArch(**SIZES, **how)
    events, valid = normal(EVENTS, D), some_mask()
    inputs = {
        "tokens": normal(FIELDS, D),
        "events": events,
        "events_mask": valid,
        "recent": RECENT,
    }
    found = numpy(call(layer, **inputs)["sequence"])
    assert found.shape == (3, SUMMARY + 2 + 2, D)
    recent = found[:, -2:]
    assert np.abs(recent[0]).min() > 0
    assert np.abs(recent[1, 0]).max() == 0 < np.abs(recent[1, 1]).min()
    assert np.abs(recent[2]).max() == 0
    if kept:
        for weight in layer.sequence_gate.weights:
            weight.assign(np.zeros(weight.shape))
        recent = numpy(layer(**inputs)["sequence"])[:, -2:]
        np.testing.assert_allclose(recent[0], events[0, [1, 3]] / 2, rtol=1e-6)


def test_a_place_among_the_recent_does_not_make_padding_count():
    layer = layers.CrossArch(**SIZES)
    inputs = {
        "tokens": normal(FIELDS, D),
        "events": normal(EVENTS, D),
        "events_mask": some_mask(),
        "recent": RECENT,
    }
    expected = numpy(call(layer, **inputs)["sequence"])
    inputs["recent"] = np.where(some_mask(), RECENT, 1)
    got = numpy(layer(**inputs)["sequence"])
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_summary_of_fields_stands_in_for_cls():
    layer = layers.CrossArch(**SIZES)
    inputs = {
        "tokens": normal(FIELDS, D),
        "events": normal(EVENTS, D),
        "events_mask": some_mask(),
        "recent": RECENT,
    }
    sums = call(layer, **inputs)
    again = layer(**inputs, cls=sums["tokens"])
    for name in ("tokens", "sequence"):
        np.testing.assert_allclose(
            numpy(sums[name]), numpy(again[name]), rtol=1e-6
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
def test_weights_are_those_of_the_row(mode):
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
    # The first row has events at unlike positions.
    assert np.abs(read(places, places + 7) - expected)[0].max() > 1e-4
    assert np.abs(read(places, 2 * places) - expected)[0].max() > 1e-4


def test_without_positions_order_is_nothing():
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
def test_flow(exchange, fields_reach_events, events_reach_fields):
    """What a block changes, with CLS tokens of their own."""
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


def test_blocks_keep_all_shapes():
    inputs = state("cls")
    block = layers.InterFormerBlock(**SIZES, cross_rank=2)
    found = block(**inputs)
    assert set(found) == {"tokens", "events", "cls"}
    for name, x in found.items():
        assert tuple(x.shape) == inputs[name].shape
