"""What INFNet promises of its cost: linear in events and fields."""

import numpy as np
import pytest
from costs import shapes_and_costs
from keras import ops
from layer_cases import symbols
from tiny import SMALL, random_batch

from keras_infnet import layers
from keras_infnet.models import INFNet
from keras_infnet.schema import Behavior, Categorical, Schema, Task

M, LENGTHS, D, ROWS = 17, (29, 37), 6, 2  # primes tell the axes apart


def long_schema():
    names = [f"field_{i}" for i in range(M)]
    return Schema(
        fields=[Categorical(name, hash_buckets=11) for name in names],
        behaviors=[
            Behavior(name, names[:2], max_length=length)
            for name, length in zip("ab", LENGTHS, strict=True)
        ],
        tasks=[Task("click"), Task("like")],
    )


def square(shapes):
    """Shapes with two axes of fields or two axes of events."""
    tokens = {M, *LENGTHS, sum(LENGTHS)}
    total = M + sum(LENGTHS) + 2
    return {
        shape
        for shape in shapes
        if sum(size in tokens or size == total for size in shape) > 1
    }


def shapes_of(**settings):
    model = INFNet(long_schema(), **{**SMALL, **settings})
    batch = random_batch(model.schema, rows=ROWS)
    batch = {name: ops.convert_to_tensor(x) for name, x in batch.items()}
    return shapes_and_costs(lambda inputs: model(inputs), batch)[0]


@pytest.mark.parametrize("variant", ["hub", "proxy"])
@pytest.mark.parametrize("fold", [True, False])
def test_no_tensor_is_quadratic(variant, fold):
    shapes = shapes_of(variant=variant, fold=fold)
    assert (ROWS, sum(LENGTHS), D) in shapes  # the probe sees the tokens
    assert not square(shapes)


@pytest.mark.parametrize("variant", ["hub", "proxy"])
def test_all_to_all_is_quadratic(variant):
    """The ablation is what the others are compared with."""
    assert square(shapes_of(variant=variant, ablate="hubs"))


def block_cost(block, suffix, events):
    state = {
        "categorical": np.ones((ROWS, 5, D), "float32"),
        "sequence": np.ones((ROWS, events, D), "float32"),
        "sequence_mask": np.ones((ROWS, events), bool),
        "task": np.ones((ROWS, 2, D), "float32"),
        f"categorical_{suffix}": np.ones((ROWS, 3, D), "float32"),
        f"sequence_{suffix}": np.ones((ROWS, 2, D), "float32"),
        f"task_{suffix}": np.ones((ROWS, 4, D), "float32"),
    }
    block(**symbols(state))  # builds it
    state = {name: ops.convert_to_tensor(x) for name, x in state.items()}
    return shapes_and_costs(lambda inputs: block(**inputs), state)[1]


@pytest.mark.parametrize(
    ("num_heads", "fold"), [(1, True), (1, False), (2, None)]
)
@pytest.mark.parametrize("name", ["HubBlock", "ProxyBlock"])
def test_stage_one_grows_linearly(name, num_heads, fold):
    """Twice the events: at most twice the multiply-adds of stage 1."""
    block = getattr(layers, name)(broadcasts=(), num_heads=num_heads, fold=fold)
    suffix = "hubs" if name == "HubBlock" else "proxies"
    short, long, longest = (
        block_cost(block, suffix, events) for events in (50, 100, 200)
    )
    assert 0 < short < long <= 2 * short
    assert longest - long == 2 * (long - short)


def attention_cost(fold, events, queries, dim, num_heads):
    attend = layers.CrossAttention(dim, num_heads=num_heads, fold=fold)
    query = np.ones((ROWS, queries, dim), "float32")
    source = np.ones((ROWS, events, dim), "float32")
    attend.build(query.shape, source.shape)
    inputs = [ops.convert_to_tensor(x) for x in (query, source)]
    return shapes_and_costs(lambda x: attend(*x), inputs)[1]


def test_folding_saves_multiply_adds():
    """4.5 times at 100 events, width 64, 10 queries; 1.6 with 4 heads."""
    for num_heads, saved in ((1, 4.5), (4, 1.6)):
        sizes = (100, 10, 64, num_heads)
        query = ROWS * 10 * 64 * 64  # paid by both
        plain = attention_cost(False, *sizes) - query
        folded = attention_cost(True, *sizes) - query
        assert plain / folded == pytest.approx(saved, abs=0.05)


@pytest.mark.parametrize("num_heads", [1, 2, 8])
@pytest.mark.parametrize(
    ("events", "queries"), [(3, 2), (3, 40), (100, 2), (100, 40), (40, 40)]
)
def test_the_cheaper_path_is_chosen(events, queries, num_heads):
    sizes = (events, queries, 16, num_heads)
    both = [attention_cost(fold, *sizes) for fold in (True, False)]
    assert attention_cost(None, *sizes) == min(both)
