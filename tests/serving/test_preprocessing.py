"""The graph encodes as the encoder does, id for id."""

import numpy as np
import pytest
from serving_examples import inputs_of, raw_inputs

from keras_infnet.data.encoding.bins import gap_ids as expected_gap_ids
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.hashing import hash_ids
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.serving.exporting.sample_rows import (
    example_inputs,
    example_rows,
)
from keras_infnet.serving.graph.preprocessing import (
    GraphEncoder,
    gap_ids,
    hash_buckets,
    tidy_inputs,
)


def run(graph, request):
    """Encodes a request, in a traced function of dynamic shapes."""
    import tensorflow as tf

    specs = graph.schema.raw_inputs
    function = tf.function(
        graph.encode,
        input_signature=[
            {
                name: tf.TensorSpec([None, *spec.shape], spec.dtype)
                for name, spec in specs.items()
            }
        ],
        autograph=False,
    )
    tensors = {
        name: tf.constant(request[name], spec.dtype)
        for name, spec in specs.items()
    }
    return {name: t.numpy() for name, t in function(tensors).items()}


def same(found, expected, schema):
    """Asserts equality up to the padding of sequences."""
    sequences = {name for b in schema.behaviors for name in b.inputs}
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        if name in sequences:
            length = found[name].shape[1]
            assert not array[:, length:].any(), name
            array = array[:, :length]
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.fixture(scope="module")
def graph(encoder):
    return GraphEncoder(encoder)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_equals_the_encoder(graph, encoder, table, seed):
    if seed is not None:
        table = example_rows(encoder, rows=50, seed=seed)
    request = raw_inputs(table, encoder.schema)
    same(run(graph, request), inputs_of(encoder, table), encoder.schema)


def test_numbers_of_rows(graph, encoder, table):
    import tensorflow as tf

    request = raw_inputs(table.slice(0, 4), encoder.schema)
    found = run(graph, {name: array[:0] for name, array in request.items()})
    assert {len(array) for array in found.values()} == {0}
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(graph, {**request, "city": request["city"][:3]})


def test_events_are_compacted_wherever_padding_stands(graph, encoder, table):
    rows = table.slice(0, 40)
    request = raw_inputs(rows, encoder.schema)
    expected = run(graph, request)
    spread = dict(request)
    for name, array in request.items():
        if name.startswith(("seen_", "searched_")):
            spec = encoder.schema.raw_inputs[name]
            fill = {"int64": -1, "string": "", "float32": np.nan}[spec.dtype]
            shape = (len(array), 2 * array.shape[1] + 1, *array.shape[2:])
            wide = np.full(shape, fill, array.dtype)
            wide[:, 1::2] = array  # padding before and between the events
            spread[name] = wide
    found = run(graph, spread)
    np.testing.assert_equal(found, expected)


def test_one_row_stands_for_all(graph, encoder, table):
    rows = table.slice(0, 7)
    request = raw_inputs(rows, encoder.schema)
    history = [n for n in request if n.startswith(("seen_", "searched_"))]
    first = rows.with_columns(
        {n: rows[n].take(np.zeros(7, int)) for n in history}
    )
    expected = run(graph, raw_inputs(first, encoder.schema))
    shared = {n: a[:1] if n in history else a for n, a in request.items()}
    found = run(graph, shared)
    np.testing.assert_equal(found, expected)


def test_attributes_of_unequal_length_are_filled_up(graph, encoder, table):
    rows = table.slice(0, 9)
    request = raw_inputs(rows, encoder.schema)
    expected = run(
        graph, {**request, "seen_price": request["seen_price"] * np.nan}
    )
    cut = {**request, "seen_price": np.full((1, 1), np.nan, "float32")}
    found = run(graph, cut)
    np.testing.assert_equal(found, expected)


def test_empty_vocabulary_and_boundaries():
    schema = Schema(
        [Categorical("item", min_count=9), Numeric("price")], [Task("buy")]
    )
    table = Table({"item": [1, 2], "price": [np.nan] * 2, "buy": [0, 1]})
    graph = GraphEncoder(Encoder(schema).fit(table))
    found = run(graph, {"item": [1, -1], "price": [2.0, np.nan]})
    assert found["item"].tolist() == [0, 0]
    assert found["price"].tolist() == [1, 0]


@pytest.mark.parametrize("buckets", [1, 7, 1000, 2**31 - 2])
def test_hashes_equal_those_of_numpy(buckets):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    ints = np.concatenate([[-1, 0, 2**63 - 1], rng.integers(0, 2**62, 50)])
    found = hash_buckets(tf.constant(ints, tf.int64), buckets).numpy()
    np.testing.assert_array_equal(found, hash_ids(ints, buckets))
    texts = np.array(["", "a", "Zürich", "京都", "x" * 100], object)
    found = hash_buckets(tf.constant(texts, tf.string), buckets).numpy()
    np.testing.assert_array_equal(found, hash_ids(texts, buckets))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_gaps_at_the_edges_of_buckets(unit):
    import tensorflow as tf

    schema = Schema(
        [Categorical("item", hash_buckets=3)],
        [Task("buy")],
        [Behavior("seen", ["item"], timed=True)],
        request_time="at",
        time_unit=unit,
    )
    second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    edges = (2 ** np.arange(1, 32) - 1) * second
    ago = np.concatenate([edges - 1, edges, edges + 1, [0, -5]])
    request = np.int64(4 * 2**31 * second)
    event = np.concatenate([request - ago, [-1]])
    found = gap_ids(
        tf.constant(request, tf.int64), tf.constant(event, tf.int64), schema
    ).numpy()
    # Of the definition: 1 + floor(log2(1 + whole seconds)).
    seconds = np.maximum(ago, 0) // second
    brute = [int(s + 1).bit_length() for s in seconds] + [0]
    np.testing.assert_array_equal(found, np.minimum(brute, 32))
    np.testing.assert_array_equal(
        found, expected_gap_ids(np.full_like(event, request), event, unit)
    )


def test_tidy_inputs_changes_nothing_tidy(encoder):
    import tensorflow as tf

    schema = encoder.schema
    inputs = example_inputs(schema, rows=20)
    tidy = tidy_inputs({n: tf.constant(a) for n, a in inputs.items()}, schema)
    found = {name: tensor.numpy() for name, tensor in tidy.items()}
    same(found, inputs, schema)


def test_tidy_inputs_keeps_the_newest_and_hides_what_no_table_has():
    import tensorflow as tf

    schema = Schema(
        [Categorical("item", hash_buckets=9)],
        [Task("buy")],
        [Behavior("seen", ["item"], max_length=2)],
    )
    tidy = tidy_inputs(
        {
            "item": tf.constant([3, 10, -2]),
            "seen_item": tf.constant([[1, 5, 2, 3]]),
            "seen_mask": tf.constant([[True, False, True, True]]),
        },
        schema,
    )
    assert tidy["item"].numpy().tolist() == [3, 0, 0]
    assert tidy["seen_item"].numpy().tolist() == [[2, 3]] * 3
    assert tidy["seen_mask"].numpy().all()


def test_requests_of_odd_columns(encoder, table):
    schema, none = encoder.schema, np.zeros(2, np.int64)
    rows = table.slice(0, 2).with_columns(
        {
            "words": ["red,blue", None],  # split at the separator
            "tags": ListColumn(np.empty(0, np.int64), none, none),
        }
    )
    request = raw_inputs(rows.without(["price", "seen_item"]), schema)
    assert request["words"].tolist() == [["red", "blue"], ["", ""]]
    assert request["tags"].tolist() == [[-1], [-1]]
    assert not {"price", "seen_item"} & request.keys()
    with pytest.raises(ValueError, match="'item'"):
        raw_inputs(table.without("item"), schema)
