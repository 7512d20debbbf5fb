"""Layers against values by hand and plain NumPy."""

import numpy as np
import pytest
from gradients import run
from keras import ops
from layer_cases import symbols
from numpy_baselines import dense, layer_norm
from numpy_infnet import attend
from tiny import randomize

from keras_infnet import layers

MASK = np.array([[False, True, True, False, True], [False] * 5])


def weights(layer):
    return {
        w.path.removeprefix(f"{layer.name}/"): ops.convert_to_numpy(w)
        for w in layer.weights
    }


def test_positions_count_back_from_the_newest_event():
    """Wherever padding lies; old events share the last position."""
    layer = layers.EventTokenizer(dim=1, max_length=2, num_gaps=3)
    attributes = np.ones((2, 5, 1, 1), "float32")
    gap = np.array([[0, 1, 2, 0, 9], [0] * 5], "int32")
    layer(attributes, MASK, gap)
    for name, values in (
        ("positions", [[1.0], [2.0]]),
        ("gaps", [[10.0], [20.0], [30.0]]),
    ):
        getattr(layer, name).assign(np.array(values, "float32"))
    layer.projection.kernel.assign([[100.0]])
    tokens = ops.convert_to_numpy(layer(attributes, MASK, gap))[..., 0]
    # Three events: the oldest shares position 1 with the one after it.
    np.testing.assert_allclose(tokens[0], [0, 122, 132, 0, 131])
    np.testing.assert_allclose(tokens[1], 0)


def test_multivalued_embeddings_are_means_of_known_values():
    layer = layers.StackedEmbedding(
        {"a": 2, "b": 4},
        {"rows": [("tags", "b"), ("x", "a")]},
        multivalued=["tags"],
        dim=1,
    )
    inputs = {
        "tags": np.array([[1, 3, 0], [2, 2, 1], [0, 0, 0], [0, 3, 0]]),
        "x": np.array([0, 1, 1, 0]),
    }
    layer(inputs)
    assert layer.embeddings.shape == (8, 1)  # six rows, a multiple of 8
    table = [[1.0], [2.0], [10.0], [20.0], [30.0], [40.0], [0.0], [0.0]]
    layer.embeddings.assign(np.array(table, "float32"))
    rows = ops.convert_to_numpy(layer(inputs)["rows"])[..., 0]
    # Without a known value, row 0 of the table.
    expected = [[30.0, 1.0], [80 / 3, 2.0], [10.0, 2.0], [40.0, 1.0]]
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


@pytest.mark.parametrize("fold", [True, False, None])
@pytest.mark.parametrize("num_heads", [1, 3])
def test_attention_with_a_gate(fold, num_heads):
    """The gate multiplies the source, folded or not."""
    rng = np.random.default_rng(0)
    query = rng.standard_normal((2, 3, 4))
    source, gate = rng.standard_normal((2, 5, 7)), rng.random((2, 1, 7))
    layer = layers.CrossAttention(6, num_heads=num_heads, fold=fold)
    inputs = {
        "query": query.astype("float32"),
        "source": source.astype("float32"),
        "source_mask": MASK,
        "gate": gate.astype("float32"),
    }
    layer(**symbols(inputs))
    w = weights(randomize(layer))
    x = source * gate
    expected = attend(
        query @ w["query_kernel"],
        x @ w["key_kernel"],
        x @ w["value_kernel"],
        MASK,
        num_heads,
    )
    got = ops.convert_to_numpy(run(layer, inputs))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert (got[1] == 0).all()


@pytest.mark.parametrize("fold", [True, False])
def test_large_scores_are_masked_in_half_precision(fold):
    """Lowering the scores must not overflow or leave large ones."""
    layer = layers.CrossAttention(2, fold=fold, dtype="mixed_float16")
    query = np.full((1, 1, 2), 30.0, "float32")
    source = np.array([[[1.0, 1.0], [60.0, 60.0]]], "float32")
    valid = np.array([[True, False]])
    layer(query, source, valid)
    for weight in layer.weights:
        weight.assign(np.eye(2))
    got = ops.convert_to_numpy(layer(query, source, valid))
    np.testing.assert_allclose(got, [[[1.0, 1.0]]], rtol=1e-3)


@pytest.mark.parametrize("variant", ["hub", "proxy"])
def test_all_to_all(variant):
    rng = np.random.default_rng(0)
    groups = {"categorical": 2, "sequence": 5, "task": 3}
    state = {
        group: rng.standard_normal((2, count, 4)).astype("float32")
        for group, count in groups.items()
    }
    state["sequence"] *= MASK[..., None]
    layer = layers.AllToAllBlock(variant=variant, num_heads=2, expansion=1)
    inputs = {**state, "sequence_mask": MASK}
    layer(**symbols(inputs))
    w = weights(randomize(layer))

    x = np.concatenate(list(state.values()), 1).astype("float64")
    valid = np.ones((2, 10), bool)
    valid[:, 2:7] = MASK
    query, key, value = (
        x @ w[f"attention/{name}_kernel"] for name in ("query", "key", "value")
    )
    x = x + attend(query, key, value, valid, 2)
    got = run(layer, inputs)
    start = 0
    for group, count in groups.items():
        y, mask = x[:, start : start + count], valid[:, start : start + count]
        start += count
        if variant == "hub":
            y = layer_norm(y, w, f"{group}_normalization/normalization")
        y = y * mask[..., None]
        mean = y.sum(1) / np.maximum(mask.sum(1), 1)[:, None]
        path = f"{group}_unit/mlp"
        hidden = np.maximum(dense(mean, w, f"{path}/hidden_0"), 0)
        out = dense(hidden, w, f"{path}/output")
        gate = 1 / (1 + np.exp(-out[:, None, :4]))
        if variant == "hub":
            y = y + y * gate + out[:, None, 4:]
            y = layer_norm(y, w, f"{group}_unit/normalization/normalization")
        else:
            y = y * gate
        np.testing.assert_allclose(
            ops.convert_to_numpy(got[group]),
            y * mask[..., None],
            rtol=1e-5,
            atol=1e-5,
            err_msg=group,
        )


def test_kernels_start_unequal():
    """Kernels of one initializer must not share its seed."""
    layer = layers.MLP(4, hidden_dims=(4, 4))
    layer.build((None, 4))
    kernels = [w for w in layer.weights if w.path.endswith("kernel")]
    first, second, third = (ops.convert_to_numpy(w) for w in kernels)
    assert not np.allclose(first, second) and not np.allclose(second, third)


def test_dropout_is_active_only_in_training():
    layer = layers.MLP(2, hidden_dims=(64,), dropout=0.5)
    x = np.ones((3, 4), "float32")
    layer(x)
    still = ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(still, ops.convert_to_numpy(layer(x)))
    moved = ops.convert_to_numpy(layer(x, training=True))
    assert np.abs(moved - still).max() > 1e-3
