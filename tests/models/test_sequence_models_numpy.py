"""Models that read behaviors by the target, row by row in NumPy."""

import numpy as np
import numpy_baselines as by_hand
import pytest
from gradients import BACKEND
from keras import ops
from small_models import small_model
from tiny import (
    NOT_ON_JAX,
    compile_model,
    plain_schema,
    predictions,
    random_batch,
    random_labels,
    randomize,
)

from keras_infnet import models
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Behavior, Categorical, Schema, Task

D = 3
# `channel` is an attribute without a field.
SCHEMA = Schema(
    fields=[
        Categorical("user", hash_buckets=11),
        Categorical("item", hash_buckets=13),
    ],
    behaviors=[
        Behavior(
            "clicks",
            ["item", Categorical("channel", hash_buckets=5)],
            max_length=4,
        )
    ],
    tasks=[Task("click")],
)


def embedded(model, batch):
    """Rows of `(user, item, items of clicks, mean of channels)`."""
    layer = model.get_layer("embedding")
    table = ops.convert_to_numpy(layer.embeddings)

    def read(name, ids):
        return table[layer.offsets[name] + ids]

    for i in range(len(batch["user"])):
        mask = batch["clicks_mask"][i]
        items = read("item", batch["clicks_item"][i][mask])
        channels = read("channel", batch["clicks_channel"][i][mask])
        mean = channels.mean(0) if mask.any() else np.zeros(D)
        user, item = (read(n, batch[n][i]) for n in ("user", "item"))
        yield user, item, items, mean


def dice(x, w, name):
    p = (x - w[f"{name}/normalization/moving_mean"]) / np.sqrt(
        w[f"{name}/normalization/moving_variance"] + 1e-9
    )
    p = by_hand.sigmoid(p)
    return p * x + w[f"{name}/alpha"] * (1 - p) * x


def pooled(query, events, w, softmax=False, silu=False):
    """The attention unit, on all four parts side by side."""
    name = "clicks_attention"
    scores = []
    for event in events:
        x = np.concatenate([query, event, query - event, query * event])
        x, i = x @ w[f"{name}/kernel"] + w.get(f"{name}/bias", 0.0), 0
        while f"{name}/dense_{i}/kernel" in w:
            x = by_hand.silu(x) if silu else dice(x, w, f"{name}/dice_{i}")
            x = x @ w[f"{name}/dense_{i}/kernel"]
            x = x + w.get(f"{name}/dense_{i}/bias", 0.0)
            i += 1
        scores.append(x[0])
    if not scores:
        return np.zeros(D)
    scores = np.array(scores)
    return (by_hand.softmax(scores) if softmax else scores) @ events


def din(row, w, **how):
    user, item, items, mean = row
    x = np.concatenate([user, item, pooled(item, items, w, **how), mean])
    return by_hand.hidden(x, w, "deep")


def bst(row, w, blocks=1, heads=1, pooling="target"):
    user, item, items, mean = row
    s = np.concatenate([items, item[None]])
    back = np.arange(len(items), -1, -1)
    s = np.concatenate([s, w["clicks_sequence/positions"][back]], axis=1)
    for i in range(blocks):
        name = f"clicks_block_{i}"
        read = np.zeros_like(s)
        for h in range(heads):
            size = s.shape[1] // heads
            part = slice(h * size, (h + 1) * size)
            q, k, v = (
                s @ w[f"{name}/{what}_kernel"][:, part]
                for what in ("query", "key", "value")
            )
            scores = q @ k.T / np.sqrt(q.shape[1])
            weights = np.stack([by_hand.softmax(line) for line in scores])
            read = read + weights @ v @ w[f"{name}/output_kernel"][part]
        s = by_hand.layer_norm(s + read, w, f"{name}/normalization_0")
        out = by_hand.hidden(s, w, f"{name}/feed_forward")
        out = by_hand.dense(out, w, f"{name}/feed_forward/output")
        s = by_hand.layer_norm(s + out, w, f"{name}/normalization_1")
    read = {"target": s[-1], "mean": s.mean(0), "sum": s.sum(0)}[pooling]
    return by_hand.hidden(np.concatenate([user, item, read, mean]), w, "deep")


def rankmixer(row, w):
    user, item, items, mean = row
    x = np.concatenate([user, item, pooled(item, items, w), mean])
    x = x.reshape(3, 4)  # twelve numbers in three pieces
    x = np.stack(
        [x[t] @ w["tokens/kernel"][t] + w["tokens/bias"][t] for t in range(3)]
    )
    for i in range(2):
        name = f"block_{i}"
        mixed = np.stack(
            [
                np.concatenate([token[2 * h : 2 * h + 2] for token in x])
                for h in range(3)
            ]
        )
        x = by_hand.layer_norm(mixed + x, w, f"{name}/normalization_0")
        out = []
        for t, token in enumerate(x):
            y = token @ w[f"{name}/hidden/kernel"][t]
            y = by_hand.silu(y + w[f"{name}/hidden/bias"][t])
            y = y @ w[f"{name}/output/kernel"][t]
            out.append(y + w[f"{name}/output/bias"][t])
        x = by_hand.layer_norm(np.stack(out) + x, w, f"{name}/normalization_1")
    return x.mean(0)


def gru(x, s, w, name, weight, mode):
    """One step of the second GRU."""
    of_x = x @ w[f"{name}/kernel"] + w[f"{name}/bias"]
    of_s = s @ w[f"{name}/recurrent_kernel"]
    *xu, xr, xn = np.split(of_x, len(of_x) // len(s))
    *su, sr, sn = np.split(of_s, len(of_x) // len(s))
    reset = by_hand.sigmoid(xr + sr)
    new = np.tanh(xn + reset * (sn + w[f"{name}/recurrent_bias"]))
    if mode == "agru":
        update = weight
    else:
        update = by_hand.sigmoid(xu[0] + su[0])
        update = update * (weight if mode == "augru" else 1.0)
    return (1 - update) * s + update * new


def dien(row, w, mode="augru", attention="bilinear", sums=False):
    user, item, items, mean = row
    name = "clicks_evolution"
    states, s = [], np.zeros(D)
    for event in items:
        # Keras: its update gate keeps the old state.
        s = keras_gru(event, s, w, f"{name}/extraction/gru_cell")
        states.append(s)
    s = np.zeros(D)
    if states:
        if attention == "bilinear":
            q = item @ w.get(f"{name}/scorer/kernel", np.eye(D))
            scores = [h @ q for h in states]
        elif attention == "dot":
            scores = [h @ item for h in states]
        else:
            scores = []
            for h in states:
                x = np.concatenate([item, h, item - h, item * h])
                x = by_hand.hidden(x, w, f"{name}/hidden")
                scores.append((x @ w[f"{name}/scorer/kernel"])[0])
        for h, a in zip(states, by_hand.softmax(np.array(scores)), strict=True):
            x = a * h if mode == "aigru" else h
            step = "gru" if mode == "aigru" else mode
            s = gru(x, s, w, f"{name}/evolution/cell", a, step)
    parts = [user, item, s]
    if sums:
        parts += [items.sum(0), items.sum(0) * item]
    return by_hand.hidden(np.concatenate([*parts, mean]), w, "deep")


def keras_gru(x, s, w, name):
    """`h = (1 - z) n + z h`, where ours is `(1 - u) h + u n`: u = 1 - z."""
    (of_x, of_s) = w[f"{name}/bias"]
    xz, xr, xn = np.split(x @ w[f"{name}/kernel"] + of_x, 3)
    sz, sr, sn = np.split(s @ w[f"{name}/recurrent_kernel"] + of_s, 3)
    z, r = by_hand.sigmoid(xz + sz), by_hand.sigmoid(xr + sr)
    return (1 - z) * np.tanh(xn + r * sn) + z * s


FORWARD = {
    "DIEN": (dien, {"sums": True}),
    "DIEN_agru": (dien, {"mode": "agru", "attention": "din"}),
    "DIEN_aigru": (dien, {"mode": "aigru", "attention": "dot"}),
    "DIEN_gru": (dien, {"mode": "gru"}),
    "BST": (bst, {"blocks": 2, "heads": 3}),
    "BST_mean": (bst, {"pooling": "mean"}),
    "BST_sum": (bst, {"pooling": "sum"}),
    "DIN": (din, {}),
    "DIN_silu": (din, {"silu": True}),
    "DIN_softmax": (din, {"softmax": True}),
    "RankMixer": (rankmixer, {}),
}


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=NOT_ON_JAX if "_" in label else ())
        for label in FORWARD
    ],
)
def test_equals_the_papers(label):
    model = randomize(small_model(label, SCHEMA))
    batch = random_batch(SCHEMA)
    w = {v.path: ops.convert_to_numpy(v) for v in model.weights}
    forward, how = FORWARD[label]
    expected = [
        by_hand.tower(forward(row, w, **how), w, "click")
        for row in embedded(model, batch)
    ]
    np.testing.assert_allclose(
        predictions(model, batch)["click"][:, 0],
        by_hand.sigmoid(np.array(expected)),
        rtol=1e-5,
        atol=1e-6,
    )


NEGATIVES = Schema(
    fields=[Categorical("item", hash_buckets=13)],
    behaviors=[
        Behavior(name, ["item"], max_length=5) for name in ("clicks", "skipped")
    ],
    tasks=[Task("click")],
)


@pytest.mark.parametrize("loss_weighting", ["fixed", "uncertainty"])
def test_the_auxiliary_loss_is_trained(loss_weighting):
    """The loss of a step is that of the labels, and this one."""
    batch, labels = random_batch(NEGATIVES), random_labels(NEGATIVES)
    losses = []
    for weight in (0.0, 2.0):
        model = models.DIEN(
            NEGATIVES,
            embedding_dim=D,
            aux_loss_weight=weight,
            negatives={"clicks": "skipped"},
            loss_weighting=loss_weighting,
            embeddings_initializer="zeros",
        )
        compile_model(model, run_eagerly=BACKEND == "tensorflow")
        found = model.train_on_batch(batch, labels, return_dict=True)
        losses.append(float(found["loss"]))
    # Of zeros every answer is one half.
    assert losses[1] - losses[0] == pytest.approx(2 * 2 * np.log(2), rel=1e-4)


def test_auxiliary_loss_in_numpy():
    """Over pairs of neighboring events, wherever padding lies."""
    settings = {"aux_loss_weight": 0.5, "negatives": {"clicks": "skipped"}}
    model = randomize(models.DIEN(NEGATIVES, embedding_dim=D, **settings))
    batch = random_batch(NEGATIVES)
    model(batch, training=True)
    (loss,) = model.losses
    w = {v.path: ops.convert_to_numpy(v) for v in model.weights}
    table = w["embedding/embeddings"]
    terms = []
    for mask, ids, others in zip(
        batch["clicks_mask"],
        batch["clicks_item"],
        batch["skipped_item"],
        strict=True,
    ):
        events, negatives, s = table[ids[mask]], table[others[mask]], 0
        s = np.zeros(D)
        for t in range(len(events) - 1):
            name = "clicks_evolution/extraction/gru_cell"
            s = keras_gru(events[t], s, w, name)
            terms.append(
                -np.log(by_hand.sigmoid(s @ events[t + 1]))
                - np.log(1 - by_hand.sigmoid(s @ negatives[t + 1]))
            )
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss), 0.5 * np.mean(terms), rtol=1e-5
    )
    model(batch, training=False)
    assert not model.losses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aux_loss_weight": 0.1}, "name the behavior of negatives"),
        ({"negatives": {"click": "clicks"}}, "behavior 'click'"),
        ({"aux_loss_weight": -1.0}, "`aux_loss_weight`"),
        ({"gru_type": "lstm"}, "`gru_type`"),
    ],
)
def test_wrong_arguments_of_dien(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.DIEN(SCHEMA, **arguments)


def test_negatives_must_fit_their_behavior():
    schema = Schema(
        fields=[Categorical("item", hash_buckets=13)],
        behaviors=[
            Behavior("clicks", ["item"], max_length=5),
            Behavior("skipped", ["item"], max_length=4),
        ],
        tasks=[Task("click")],
    )
    with pytest.raises(ValueError, match="same attributes and length"):
        models.DIEN(schema, negatives={"clicks": "skipped"})


@pytest.mark.parametrize("name", ["DIEN", "DIN", "BST"])
def test_behaviors_are_needed(name):
    with pytest.raises(ValueError, match=f"{name}.*`behaviors`.*DCNv2"):
        getattr(models, name)(plain_schema(behaviors=()))


@pytest.mark.parametrize("name", ["DIEN", "DIN", "BST", "RankMixer"])
def test_a_behavior_must_share_a_table_with_a_field(name):
    schema = Schema(
        [Categorical("user", hash_buckets=5)],
        [Task("click")],
        [
            Behavior(
                "clicks", [Categorical("shop", hash_buckets=7)], max_length=3
            )
        ],
    )
    with pytest.raises(ValueError, match=r"\('clicks'\) shares a table"):
        getattr(models, name)(schema)


@NOT_ON_JAX
@pytest.mark.parametrize(
    "name", sorted(set(TrunkRanker.trunks) & set(models.__all__))
)
def test_every_trunk_goes_under_every_model_that_takes_one(name):
    schema = plain_schema(timed=True)
    small = dict(getattr(models, name).presets["small"])
    small.pop("tower_dims", None)
    model = models.SharedBottom(
        schema, hidden_dims=(), trunk={"name": name, **small}
    )
    (shape,) = {tuple(y.shape) for y in model(random_batch(schema)).values()}
    assert shape == (5, 1)


def test_rankmixer_without_behaviors():
    schema = plain_schema(behaviors=())
    model = randomize(small_model("RankMixer", schema))
    got = predictions(model, random_batch(schema))
    assert got["task_0"].std() > 0


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("BST", {"pooling": "max"}, "pooling 'max'"),
        ("BST", {"num_blocks": 0}, "`num_blocks`"),
        ("BST", {"num_heads": 5}, "`num_heads` must divide"),
        ("DIN", {"attention_dims": (0,)}, "`hidden_dims`"),
        ("RankMixer", {"num_tokens": 3}, "3 tokens of width 256"),
        ("RankMixer", {"num_layers": 0}, "`num_layers`"),
    ],
)
def test_wrong_arguments_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(models, name)(SCHEMA, **arguments)
