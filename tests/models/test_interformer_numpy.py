"""InterFormer against its equations in NumPy, and its other promises."""

import numpy as np
import numpy_baselines as by_hand
import pytest
from gradients import BACKEND, projected, without_gradient
from keras import ops
from numpy_interformer import summaries
from tiny import (
    NOT_ON_JAX,
    assert_same_predictions,
    plain_schema,
    predictions,
    random_batch,
    randomize,
)

from keras_infnet import layers, models
from keras_infnet.schema import (
    Behavior,
    Categorical,
    Numeric,
    Schema,
    Task,
)

# Two `Numeric` fields, and behaviors of unlike width and length.
SCHEMA = Schema(
    fields=[
        Categorical("user", hash_buckets=11),
        Numeric("age", bins=5),
        Categorical("item", hash_buckets=13),
        Numeric("price", bins=4),
    ],
    behaviors=[
        Behavior(
            "clicks",
            ["item", Categorical("channel", hash_buckets=5)],
            max_length=5,
        ),
        Behavior("likes", ["item"], max_length=3),
    ],
    tasks=[Task("click")],
)
BEHAVIORS = {"clicks": ("item", "channel"), "likes": ("item",)}
SIZES = {
    "token_dim": 4,
    "num_layers": 2,
    "num_heads": 2,
    "num_summary_tokens": 3,
    "num_pma_tokens": 2,
    "num_recent_tokens": 2,
    "cross_rank": 2,
    "hidden_dims": (5,),
    "dropout": 0.0,
}
DEFAULTS = {
    "interaction": "dhen",
    "num_interaction_layers": 1,
    "pffn": "hyper",
    "pffn_hidden_dim": None,
    "gate": "self",
    "gate_activation": "sigmoid",
    "residual": True,
    "final_cross": True,
    "exchange": "both",
    "merge": "feature",
}
# Each value of each setting at least once.
CASES = {
    "defaults": {},
    "literal": {
        "gate": "paper",
        "pffn": "lowrank",
        "residual": False,
        "final_cross": False,
    },
    "dot": {"interaction": "dot", "num_heads": 1, "exchange": "s2n"},
    "dcnv2": {
        "interaction": "dcnv2",
        "num_interaction_layers": 2,
        "pffn": "twolayer",
        "pffn_hidden_dim": 3,
        "exchange": "n2s",
        "num_layers": 1,
    },
    "deep_dhen": {
        "num_interaction_layers": 2,
        "exchange": "none",
        "gate": "paper",
        "gate_activation": "tanh",
        "num_layers": 1,
    },
    "by_time": {
        "merge": "time",
        "pffn": "twolayer",
        "gate": "paper",
        "gate_activation": "linear",
    },
    "by_time_with_sigmoid": {"merge": "time", "gate": "paper"},
    "summaries_alone": {"num_layers": 1, "final_cross": False},
    "summaries_alone_s2n": {
        "num_layers": 1,
        "final_cross": False,
        "exchange": "s2n",
    },
}
# Both forms of merging, the defaults and the paper to the letter.
ON_JAX = ("defaults", "by_time")


def build(schema=SCHEMA, **settings):
    return randomize(models.InterFormer(schema, **{**SIZES, **settings}))


def some_batch():
    """Rows with many events, with one, with none, and with one behavior."""
    batch = random_batch(SCHEMA, rows=5)
    batch["clicks_mask"][1] = [False, False, True, False, False]
    batch["likes_mask"][1] = False
    batch["clicks_mask"][2] = False
    batch["likes_mask"][2] = [True, False, True]
    return batch


def embedded(model, batch):
    """Rows of `(fields by name, events of each behavior)`."""
    layer = model.get_layer("embedding")
    table = ops.convert_to_numpy(layer.embeddings).astype("float64")

    def read(name, ids):
        return table[layer.offsets[name] + ids]

    for i in range(len(batch["user"])):
        fields = {
            name: read(name, batch[name][i])
            for name in ("user", "age", "item", "price")
        }
        events = []
        for name, attributes in BEHAVIORS.items():
            mask = batch[f"{name}_mask"][i]
            parts = [
                read(part, batch[f"{name}_{part}"][i][mask])
                for part in attributes
            ]
            events.append(np.concatenate(parts, axis=1))
        yield fields, events


def by_equations(model, batch, how):
    w = {
        v.path: ops.convert_to_numpy(v).astype("float64") for v in model.weights
    }
    for fields, events in embedded(model, batch):
        numbers = np.concatenate([fields["age"], fields["price"]])
        number = by_hand.dense(numbers, w, "numeric_token")
        x = np.stack([number, fields["user"], fields["item"]])
        both = summaries(x, events, list(BEHAVIORS), w, how)
        h = by_hand.hidden(both.reshape(-1), w, "deep")
        yield by_hand.sigmoid(by_hand.tower(h, w, "click"))


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=() if label in ON_JAX else NOT_ON_JAX)
        for label in CASES
    ],
)
def test_equals_the_equations(label):
    model = build(**CASES[label])
    batch = some_batch()
    how = {**SIZES, **DEFAULTS, **CASES[label]}
    expected = np.array(list(by_equations(model, batch, how)))
    assert expected.std() > 0
    got = predictions(model, batch)["click"][:, 0]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "exchange",
    [
        "both",
        pytest.param("n2s", marks=NOT_ON_JAX),
        pytest.param("s2n", marks=NOT_ON_JAX),
        pytest.param("none", marks=NOT_ON_JAX),
    ],
)
@pytest.mark.parametrize(
    ("num_layers", "final_cross"),
    [
        (1, True),
        pytest.param(1, False, marks=NOT_ON_JAX),
        pytest.param(2, False, marks=NOT_ON_JAX),
    ],
)
def test_no_weight_is_dead(exchange, num_layers, final_cross):
    model = build(
        exchange=exchange, num_layers=num_layers, final_cross=final_cross
    )
    batch = some_batch()
    missed = without_gradient(
        lambda: projected(model(batch)), model.trainable_weights
    )
    assert not missed, missed


@NOT_ON_JAX
@pytest.mark.parametrize("merge", ["feature", "time"])
def test_padding_changes_nothing(merge):
    """In front, behind and between; other ids in it; other neighbors."""
    model = build(merge=merge, num_layers=1)
    batch = some_batch()
    expected = predictions(model, batch)
    changed = dict(batch)
    for name, attributes in BEHAVIORS.items():
        mask = batch[f"{name}_mask"]
        # A place without an event behind every one.
        spread = np.stack([mask, np.zeros_like(mask)], 2).reshape(5, -1)
        for part in attributes:
            ids = batch[f"{name}_{part}"]
            noise = np.flip(np.where(mask, 1, ids), axis=0)
            pair = np.stack([np.where(mask, ids, noise), noise], axis=2)
            changed[f"{name}_{part}"] = pair.reshape(5, -1)
        changed[f"{name}_mask"] = spread
    changed = {name: x[::-1].copy() for name, x in changed.items()}
    got = predictions(model, changed)
    assert_same_predictions(got, {"click": expected["click"][::-1]})


@pytest.mark.skipif(BACKEND != "tensorflow", reason="graphs of TensorFlow")
@pytest.mark.parametrize("merge", ["feature", "time"])
def test_lengths_may_be_unknown_until_a_graph_runs(merge):
    """As in a SavedModel."""
    import tensorflow as tf

    model, batch = build(merge=merge), some_batch()
    signature = {
        name: tf.TensorSpec([None] * x.ndim, x.dtype)
        for name, x in batch.items()
    }
    graph = tf.function(lambda x: model(x), input_signature=[signature])
    got = {task: y.numpy() for task, y in graph(batch).items()}
    assert_same_predictions(got, predictions(model, batch))


def test_the_order_of_events_matters():
    model = build(num_layers=1)
    batch = some_batch()
    turned = dict(batch)
    turned["clicks_mask"] = np.ones_like(batch["clicks_mask"])
    whole = predictions(model, turned)["click"]
    for part in BEHAVIORS["clicks"]:
        turned[f"clicks_{part}"] = batch[f"clicks_{part}"][:, ::-1].copy()
    assert np.abs(predictions(model, turned)["click"] - whole).max() > 1e-4


# The formulas of the specification, without the biases of the keys.


def cross_arch(n, n_sum, n_pma, d):
    return n * n_sum + n_pma * d + 2 * 2 * (d**2 + d) + 4 * d**2 + 3 * d


def interaction_arch(n, p, d, r):
    return (
        (p * (p - 1) // 2 + 1) * n * d
        + 2 * p * d * r
        + p * d
        + (p * d + 1) * n * d
        + p * n
        + 2 * 2 * d
    )


def sequence_arch(n_sum, d):
    return (
        (n_sum * d + 1) * 2 * d
        + (2 * d + 1) * d**2
        + 4 * d**2
        + 3 * d
        + 2 * 2 * d
    )


def test_parameters_of_a_block_are_those_of_the_formula():
    block = layers.InterFormerBlock()
    block.build(events_shape=(None, None, 64), tokens_shape=(None, 20, 64))
    parts = (block.cross_arch, block.interaction_arch, block.sequence_arch)
    counts = [part.count_params() for part in parts]
    assert counts == [
        cross_arch(20, 4, 2, 64),
        interaction_arch(20, 28, 64, 32),
        sequence_arch(4, 64),
    ]
    # As the specification counts, with 64 biases of keys in two of them.
    assert counts == [33_488 - 64, 2_897_456, 578_176 - 64]


def test_parameters_of_the_model():
    model = models.InterFormer(SCHEMA, **SIZES)
    n, n_sum, d, r = 3, 3, 4, 2
    n_s = n_sum + 2 + 2
    table = model.get_layer("embedding").embeddings
    cross = cross_arch(n, n_sum, 2, d)
    expected = (
        table.shape[0] * d
        + (2 * d + 1) * d  # one token of two numbers
        + 2 * (12 * 12 + 12)
        + (12 + 1) * d  # three attributes merged
        + 2
        * (cross + interaction_arch(n, n + n_s, d, r) + sequence_arch(n_sum, d))
        + cross
        + ((n_sum + n_s) * d + 1) * 5
        + (5 + 1)
    )
    assert model.count_params() == expected


@pytest.mark.parametrize(
    ("settings", "absent"),
    [
        # What would feed nothing.
        ({"final_cross": False}, "block_1"),
        ({"exchange": "n2s"}, "block_0/cross_arch/sequence_gate"),
        ({"exchange": "n2s"}, "block_0/cross_arch/attention"),
        ({"exchange": "n2s"}, "learned_summary"),
        ({"exchange": "s2n"}, "block_0/cross_arch/token_gate"),
        ({"exchange": "s2n"}, "block_0/cross_arch/kernel"),
        ({"exchange": "none"}, "block_0/cross_arch"),
        ({"exchange": "both"}, "learned_summary"),
    ],
)
def test_what_feeds_nothing_is_not_built(settings, absent):
    model = models.InterFormer(SCHEMA, **{**SIZES, **settings})
    paths = [w.path for w in model.weights]
    assert not [path for path in paths if path.startswith(absent)]
    assert "final_cross/sequence_gate/mlp/output/kernel" in paths
    assert "final_cross/token_gate/mlp/output/kernel" in paths


def test_every_task_has_an_output():
    schema = plain_schema(num_tasks=3)
    model = build(schema, num_layers=1)
    found = predictions(model, random_batch(schema))
    assert list(found) == ["task_0", "task_1", "task_2"]
    assert not np.allclose(found["task_0"], found["task_1"])


def test_embeddings_are_as_wide_as_tokens():
    model = models.InterFormer(SCHEMA, **{**SIZES, "token_dim": 8})
    assert model.get_layer("embedding").embeddings.shape[1] == 8


def test_embeddings_of_another_width_under_another_model():
    trunk = {**SIZES, "name": "InterFormer", "num_layers": 1}
    del trunk["dropout"]
    model = models.SharedBottom(
        SCHEMA, embedding_dim=3, hidden_dims=(), trunk=trunk
    )
    paths = [w.path for w in model.weights]
    assert "field_tokens/kernel" in paths
    assert np.isfinite(predictions(model, some_batch())["click"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 3}, "`num_heads` must divide `token_dim`.*token_dim=64"),
        ({"token_dim": 4, "num_heads": 4}, r"even width.*Use one of \[1, 2\]"),
        ({"num_layers": 0}, "`num_layers`"),
        ({"num_summary_tokens": 0}, "`num_summary_tokens`"),
        ({"num_recent_tokens": 0}, "`num_recent_tokens`"),
        ({"interaction": "fm"}, "`interaction` must be one of 'dot'"),
        ({"interaction": "dot", "num_interaction_layers": 2}, "num_layers=2"),
        ({"pffn": "film"}, "`pffn` must be one of 'lowrank'"),
        ({"pffn_hidden_dim": 8}, "`hidden_dim`"),
        ({"gate": "open"}, "`gate`"),
        ({"exchange": "sole"}, "`exchange` must be one of 'both'"),
        ({"merge": "space"}, "`merge`"),
        ({"dropout": 1.0}, "`dropout`"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.InterFormer(SCHEMA, **arguments)


def test_behaviors_are_needed():
    with pytest.raises(ValueError, match="InterFormer.*`behaviors`.*DCNv2"):
        models.InterFormer(plain_schema(behaviors=()))
