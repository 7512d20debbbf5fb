"""HSTU against its equations, row by row and pair by pair in NumPy."""

import math

import numpy as np
import numpy_baselines as by_hand
import pytest
from event_rows import BEHAVIORS, event_rows, event_schema
from gradients import run
from keras import ops
from layer_cases import EVENTS, D, normal, some_mask
from small_models import small_model
from tiny import NOT_ON_JAX, predictions, random_batch, randomize

from keras_infnet import layers, models
from keras_infnet.layers.sequence.positions import event_ranks
from keras_infnet.schema import Behavior, Categorical, Schema, Task

TIMED = [
    (True, True),
    pytest.param((True, False), marks=NOT_ON_JAX),
    pytest.param((False, False), marks=NOT_ON_JAX),
]


def time_bucket(later, earlier):
    """Bucket of the time between two events, from those of their gaps."""
    if later == 0 or earlier == 0:
        return 0
    seconds = max(2 ** (earlier - 1) - 2 ** (later - 1), 0)
    return 1 + math.floor(math.log2(1 + seconds))


def hstu_layer(x, gaps, w, name, heads, max_length):
    """All tokens are valid, and stand in their order."""
    y = by_hand.layer_norm(x, w, f"{name}/input_normalization")
    first = by_hand.silu(by_hand.dense(y, w, f"{name}/query_gate"))
    second = by_hand.silu(by_hand.dense(y, w, f"{name}/key_value"))
    q, u = np.split(first, 2, axis=1)
    k, v = np.split(second, 2, axis=1)
    size = x.shape[1] // heads
    read = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            rab = w[f"{name}/positions"][i - j]
            if gaps is not None:
                rab = rab + w[f"{name}/gaps"][time_bucket(gaps[i], gaps[j])]
            for h in range(heads):
                part = slice(h * size, (h + 1) * size)
                score = q[i, part] @ k[j, part] / np.sqrt(size) + rab
                weight = by_hand.silu(score) / max_length
                read[i, part] += weight * v[j, part]
    read = by_hand.layer_norm(read, w, f"{name}/output_normalization")
    return x + (read * u) @ w[f"{name}/output/kernel"]


def hstu(row, w, timed, heads, num_layers):
    tokens, gaps, channels = [], [0], []
    for event in row["events"]:
        author = event.get("author", np.zeros(3))
        item = np.concatenate([event["item"], author])
        token = by_hand.dense(item, w, "item_projection")
        tokens.append(token + w["behavior_actions/tokens"][event["behavior"]])
        gaps.append(event["gap"])
        if "channel" in event:
            channels.append(event["channel"])
    mean = np.mean(channels, axis=0) if channels else np.zeros(3)
    context = np.concatenate([row["user"], mean])
    context = by_hand.dense(context, w, "context_projection")
    candidate = np.concatenate([row["item"], row["author"]])
    candidate = by_hand.dense(candidate, w, "item_projection")
    x = np.stack([context, *tokens, candidate])
    gaps = [*gaps, 1] if any(timed) else None
    for i in range(num_layers):
        x = hstu_layer(x, gaps, w, f"layer_{i}", heads, 4 + 3 + 2)
    return x[-1]


@pytest.mark.parametrize("timed", TIMED)
@pytest.mark.parametrize(
    ("label", "heads", "num_layers"),
    [("HSTU", 3, 2), pytest.param("HSTU_bare", 2, 1, marks=NOT_ON_JAX)],
)
def test_equals_the_equations(label, heads, num_layers, timed):
    schema = event_schema(timed)
    model = randomize(small_model(label, schema))
    batch = random_batch(schema, 8)
    w = {v.path: ops.convert_to_numpy(v) for v in model.weights}
    assert ("layer_0/gaps" in w) == any(timed)
    expected = [
        by_hand.tower(hstu(row, w, timed, heads, num_layers), w, "click")
        for row in event_rows(model, batch, timed)
    ]
    np.testing.assert_allclose(
        predictions(model, batch)["click"][:, 0],
        by_hand.sigmoid(np.array(expected)),
        rtol=1e-5,
        atol=1e-6,
    )


def test_every_pair_of_gaps():
    """With a table of its own numbers the layer shows which one it read."""
    layer = layers.HSTULayer(1, max_length=1, num_gaps=33)
    gap = np.array([[a, b] for a in range(33) for b in range(33)], "int32")
    inputs = {
        "tokens": np.ones((len(gap), 2, 2), "float32"),
        "position": np.tile(np.array([[0, 1]], "int32"), (len(gap), 1)),
        "tokens_mask": np.array([[True, True]] * len(gap)),
        "gap": gap,
    }
    layer(**inputs)
    layer.positions.assign([0.0])
    layer.gaps.assign(np.arange(33.0, dtype="float32"))
    bias, visible = layer._bias(
        *(
            ops.convert_to_tensor(inputs[n])
            for n in ("position", "tokens_mask", "gap")
        )
    )
    bias, visible = ops.convert_to_numpy(bias), ops.convert_to_numpy(visible)
    expected = [time_bucket(later, earlier) for earlier, later in gap.tolist()]
    np.testing.assert_array_equal(bias[:, 0, 1, 0], expected)
    np.testing.assert_array_equal(visible[0, 0], [[1, 0], [1, 1]])
    # From the request itself it is the bucket of the event.
    assert [time_bucket(1, gap) for gap in range(33)] == list(range(33))


def test_nothing_is_read_from_what_comes_later():
    layer = layers.HSTULayer(2, max_length=5)
    tokens, valid = normal(EVENTS, D), np.ones((3, EVENTS), bool)
    position = np.tile(np.array([[3, 0, 4, 1, 2]], "int32"), (3, 1))
    inputs = {"tokens": tokens, "position": position, "tokens_mask": valid}
    layer(**inputs)
    randomize(layer)
    before = ops.convert_to_numpy(run(layer, inputs))
    changed = tokens.copy()
    changed[:, 4, 0] += 1.0  # position 2
    after = ops.convert_to_numpy(run(layer, {**inputs, "tokens": changed}))
    same = np.isclose(before, after, atol=1e-6).all(-1)
    assert same[:, [1, 3]].all() and not same[:, [0, 2, 4]].any()


def test_the_last_token_is_that_of_all_tokens():
    every = layers.HSTULayer(2, max_length=5, num_gaps=4)
    last = layers.HSTULayer(2, max_length=5, num_gaps=4, last_only=True)
    inputs = {
        "tokens": normal(EVENTS, D),
        "position": np.tile(np.arange(EVENTS, dtype="int32"), (3, 1)),
        "tokens_mask": some_mask(),
        "gap": np.tile(np.array([[0, 3, 2, 2, 1]], "int32"), (3, 1)),
    }
    every(**inputs), last(**inputs)
    randomize(every)
    last.set_weights(every.get_weights())
    np.testing.assert_allclose(
        ops.convert_to_numpy(run(last, inputs)),
        ops.convert_to_numpy(run(every, inputs))[:, -1:],
        rtol=1e-5,
        atol=1e-6,
    )


def test_ranks_of_events():
    valid = np.array([[True, False, True, True, True, True]])
    gap = np.array([[3, 9, 7, 0, 3, 32]], "int32")
    known = valid[0]
    ranks = ops.convert_to_numpy(event_ranks(valid))[0]
    assert ranks[known].tolist() == [0, 1, 2, 3, 4]
    ranks = ops.convert_to_numpy(event_ranks(valid, gap))[0]
    # Unknown first; the two of bucket 3 stay in their order.
    assert ranks[known].tolist() == [3, 2, 0, 4, 1]


def test_two_attributes_of_one_table_keep_their_roles():
    schema = Schema(
        [Categorical("item", hash_buckets=13)],
        [Task("click")],
        [
            Behavior(
                "clicks",
                [
                    "item",
                    Categorical("before", hash_buckets=13, table="item"),
                ],
                max_length=2,
            )
        ],
    )
    model = randomize(small_model("HSTU", schema))
    assert not any("context" in w.path for w in model.weights)
    batch = random_batch(schema)
    batch["clicks_mask"][:] = True
    batch["clicks_item"][:], batch["clicks_before"][:] = 1, 2
    swapped = {
        **batch,
        "clicks_item": batch["clicks_before"],
        "clicks_before": batch["clicks_item"],
    }
    one, other = predictions(model, batch), predictions(model, swapped)
    assert np.abs(one["click"] - other["click"]).max() > 1e-4


@NOT_ON_JAX
@pytest.mark.parametrize("timed", TIMED[::2])
def test_a_graph_takes_batches_of_any_length(timed):
    """The second length makes TensorFlow forget the first; 0 is one, too."""
    schema = event_schema(timed)
    model = randomize(small_model("HSTU", schema))
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


def test_hstu_is_a_trunk():
    schema = event_schema((True, True))
    trunk = {"name": "HSTU", "token_dim": 4, "num_layers": 1}
    model = models.SharedBottom(
        schema, embedding_dim=3, hidden_dims=(), tower_dims=(), trunk=trunk
    )
    y = predictions(randomize(model), random_batch(schema))["click"]
    assert y.std() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "`num_layers`"),
        ({"token_dim": 0}, "`token_dim`"),
        ({"token_dim": 5}, "`num_heads` must divide.*num_heads=2.*width 5"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.HSTU(event_schema((False, False)), **arguments)


def test_a_behavior_must_share_a_table_with_a_field():
    schema = Schema(
        [Categorical("user", hash_buckets=5)],
        [Task("click")],
        [Behavior("clicks", [Categorical("shop", hash_buckets=7)])],
    )
    with pytest.raises(ValueError, match=r"HSTU.*\('clicks'\) shares a table"):
        models.HSTU(schema)
