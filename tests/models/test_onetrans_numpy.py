"""OneTrans against its equations, row by row and token by token in NumPy."""

import numpy as np
import numpy_baselines as by_hand
import pytest
from event_rows import ATTRIBUTES, BEHAVIORS, event_rows, event_schema
from gradients import run
from keras import ops
from layer_cases import EVENTS, FIELDS, D, normal
from small_models import small_model
from tiny import NOT_ON_JAX, plain_schema, predictions, random_batch, randomize

from keras_infnet import layers, models

TIMED = [
    (True, True),
    pytest.param((True, False), marks=NOT_ON_JAX),
    pytest.param((False, False), marks=NOT_ON_JAX),
]


def mlp(x, w, name):
    x = by_hand.hidden(x, w, name)
    return by_hand.dense(x, w, f"{name}/output")


def rms_norm(x, w, name):
    return x / np.sqrt(np.mean(x**2) + 1e-5) * w[f"{name}/scale"]


def linear(x, w, name, place):
    """The shared map of an event, or that of the field of this place."""
    if place is None:
        bias = w.get(f"{name.format('sequence')}/bias", 0.0)
        return x @ w[f"{name.format('sequence')}/kernel"] + bias
    name = name.format("fields")
    return x @ w[f"{name}/kernel"][place] + w[f"{name}/bias"][place]


def block(events, fields, w, name, heads, queries):
    """`queries`: how many events go on."""
    tokens = [*events, *fields]
    places = [None] * len(events) + list(range(len(fields)))
    normed = [rms_norm(x, w, f"{name}/normalization_0") for x in tokens]
    keys, values = (
        [
            linear(x, w, f"{name}/{{}}_{part}", place)
            for x, place in zip(normed, places, strict=True)
        ]
        for part in ("key", "value")
    )
    first = len(events) - min(queries, len(events))
    size = len(tokens[0]) // heads
    result = []
    for i in range(first, len(tokens)):
        x, place = tokens[i], places[i]
        query = linear(normed[i], w, f"{name}/{{}}_query", place)
        read = []
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            scores = [query[part] @ keys[j][part] for j in range(i + 1)]
            weights = by_hand.softmax(np.array(scores) / np.sqrt(size))
            read.append(sum(a * values[j][part] for j, a in enumerate(weights)))
        x = x + linear(np.concatenate(read), w, f"{name}/{{}}_read", place)
        y = rms_norm(x, w, f"{name}/normalization_1")
        y = by_hand.silu(linear(y, w, f"{name}/{{}}_hidden", place))
        result.append(x + linear(y, w, f"{name}/{{}}_output", place))
    count = len(fields)
    return result[:-count], result[-count:]


def onetrans(row, w, timed, heads, count, schedules):
    events, before = [], 0
    for event in row["events"]:
        number = event["behavior"]
        name = BEHAVIORS[number]
        x = np.concatenate([event[part] for part in ATTRIBUTES[name]])
        x = mlp(x, w, f"{name}_tokens")
        if all(timed):
            x = x + w["behavior_types/tokens"][number]
        elif number > before:
            events.append(w["behavior_separator/tokens"][0])
            before = number
        events.append(x)
    if not all(timed) and not before:  # no event of the second behavior
        events.append(w["behavior_separator/tokens"][0])
    fields = np.concatenate([row["user"], row["item"], row["author"]])
    fields = list(mlp(fields, w, "field_tokens").reshape(count, -1))
    for i, queries in enumerate(schedules[all(timed)]):
        events, fields = block(events, fields, w, f"block_{i}", heads, queries)
    return np.concatenate(fields)


# Queries by layer. 7 events with, 8 with the separator; 2 or 1 fields.
PYRAMID = {True: (7, 7 - 5 // 2, 0), False: (8, 8 - 6 // 2, 0)}
FLAT = {True: (7, 0), False: (8, 0)}


@pytest.mark.parametrize("timed", TIMED)
@pytest.mark.parametrize(
    ("label", "heads", "count", "schedules"),
    [
        ("OneTrans", 2, 2, PYRAMID),
        pytest.param("OneTrans_bare", 1, 1, FLAT, marks=NOT_ON_JAX),
    ],
)
def test_equals_the_equations(label, heads, count, schedules, timed):
    schema = event_schema(timed)
    model = randomize(small_model(label, schema))
    batch = random_batch(schema, 8)
    w = {v.path: ops.convert_to_numpy(v) for v in model.weights}
    expected = [
        by_hand.tower(
            onetrans(row, w, timed, heads, count, schedules), w, "click"
        )
        for row in event_rows(model, batch, timed)
    ]
    np.testing.assert_allclose(
        predictions(model, batch)["click"][:, 0],
        by_hand.sigmoid(np.array(expected)),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("queries", [0, 2, EVENTS])
def test_queries_of_a_tail_are_those_of_all(queries):
    whole = layers.OneTransBlock(expansion=2)
    tail = layers.OneTransBlock(num_queries=queries, expansion=2)
    inputs = {
        "sequence": normal(EVENTS, D),
        "fields": normal(FIELDS, D),
        "sequence_mask": np.array(
            [[0, 0, 0, 1, 1], [0, 1, 1, 1, 1], [1] * 5], bool
        ),
    }
    whole(**inputs), tail(**inputs)
    randomize(whole)
    values = {w.path.split("/", 1)[1]: w for w in whole.weights}
    for weight in tail.weights:
        weight.assign(values[weight.path.split("/", 1)[1]])
    expected, got = run(whole, inputs), run(tail, inputs)
    for name in got:
        y = ops.convert_to_numpy(expected[name])
        if name == "sequence":
            y = y[:, -queries:]
        np.testing.assert_allclose(
            ops.convert_to_numpy(got[name]), y, rtol=1e-5, atol=1e-6
        )
    assert ("sequence" in got) == bool(queries)


def test_attention_is_causal():
    layer = layers.OneTransBlock(expansion=1)
    inputs = {
        "sequence": normal(EVENTS, D),
        "fields": normal(FIELDS, D),
        "sequence_mask": np.ones((3, EVENTS), bool),
    }
    layer(**inputs)
    randomize(layer)

    def changes(name, place):
        changed = inputs[name].copy()
        changed[:, place] += 1.0
        before, after = (
            run(layer, inputs),
            run(layer, {**inputs, name: changed}),
        )
        return [
            [
                not np.allclose(x[:, t], y[:, t], atol=1e-6)
                for t in range(x.shape[1])
            ]
            for x, y in (
                [ops.convert_to_numpy(z[part]) for z in (before, after)]
                for part in ("sequence", "fields")
            )
        ]

    assert changes("sequence", 3) == [[False] * 3 + [True] * 2, [True] * 2]
    assert changes("fields", 1) == [[False] * 5, [False, True]]


def test_recent_tokens_by_time():
    tokens = np.arange(1.0, 6.0, dtype="float32").reshape(1, 5, 1)
    valid = np.array([[True, True, False, True, True]])
    gap = np.array([[2, 0, 9, 30, 2]], "int32")
    for length, expected in (
        (2, [1, 5]),
        (4, [2, 4, 1, 5]),
        (6, [0, 0, 2, 4, 1, 5]),
    ):
        recent = layers.RecentTokens(length)(tokens, valid, gap)
        assert ops.convert_to_numpy(recent)[0, :, 0].tolist() == expected


def test_older_events_than_a_behavior_holds_do_not_count():
    schema = plain_schema(num_tasks=1)  # up to four events
    model = randomize(small_model("OneTrans", schema))
    batch = random_batch(schema, lengths={"clicks": 6})
    batch["clicks_mask"][:] = True
    short = {
        name: x[:, 2:] if name.startswith("clicks") else x
        for name, x in batch.items()
    }
    np.testing.assert_allclose(
        predictions(model, batch)["task_0"],
        predictions(model, short)["task_0"],
        rtol=1e-5,
    )


def test_one_behavior_needs_no_type_and_no_separator():
    for timed in (True, False):
        schema = plain_schema(num_tasks=1, timed=timed)
        model = small_model("OneTrans", schema)
        assert not any("behavior_" in w.path for w in model.weights)


def test_no_weight_serves_events_in_the_last_block():
    model = small_model("OneTrans", plain_schema())
    paths = {w.path for w in model.weights}
    assert "block_1/sequence_query/kernel" in paths
    assert "block_2/sequence_key/kernel" in paths
    assert "block_2/sequence_query/kernel" not in paths
    assert "block_2/sequence_hidden/kernel" not in paths
    assert not any(path.endswith("sequence_key/bias") for path in paths)


@NOT_ON_JAX
@pytest.mark.parametrize("timed", TIMED[::2])
def test_a_graph_takes_batches_of_any_length(timed):
    """The second length makes TensorFlow forget the first; 0 is one, too."""
    schema = event_schema(timed)
    model = randomize(small_model("OneTrans", schema))
    batch = random_batch(schema)
    without = dict(batch)
    for part, x in batch.items():
        if part.startswith(BEHAVIORS):
            without[part] = x[:, :0]
        if part.endswith("_mask"):
            batch[part] = np.zeros_like(x)
    np.testing.assert_allclose(
        model.predict(batch, verbose=0)["click"],
        model.predict(without, verbose=0)["click"],
        rtol=1e-5,
    )


def test_onetrans_is_a_trunk():
    schema = event_schema((True, True))
    trunk = {"name": "OneTrans", "token_dim": 4, "num_layers": 1}
    model = models.SharedBottom(
        schema, embedding_dim=3, hidden_dims=(), tower_dims=(), trunk=trunk
    )
    y = predictions(randomize(model), random_batch(schema))["click"]
    assert y.std() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "`num_layers`"),
        ({"num_tokens": 0}, "`num_tokens`"),
        ({"token_dim": 5}, "`num_heads` must divide.*num_heads=2.*width 5"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.OneTrans(plain_schema(), **arguments)
