"""One request and its candidates, through an exported model."""

import keras
import numpy as np
import pytest
from serving_examples import (
    as_candidates,
    expect,
    on_tensorflow,
    predict,
    raw_inputs,
)

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Behavior, Categorical, Schema, Task
from keras_infnet.serving import Servable, export, serialize_examples
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.saved_graph import save_graph
from keras_infnet.serving.graph.signatures import check_names, missing_value
from keras_infnet.serving.model_directory import save_model_directory

pytestmark = [pytest.mark.serving, on_tensorflow]
EXPRESSION = "2 * click * like + stay"


@pytest.fixture(scope="module")
def servable(model, encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("ranking")
    save_model_directory(model, encoder, path)
    schema = encoder.schema
    fusion = Fusion(EXPRESSION, schema.task_names)
    save_graph(model, schema, encoder, str(path), fusion)
    return Servable.load(path)


@pytest.fixture(scope="module")
def expected(model, encoder, table):
    """What the first row's request gets for all rows as candidates."""
    tiled = as_candidates(table, encoder.schema)
    found = predict(model, encoder, tiled)
    found = {task: values[:, 0] for task, values in found.items()}
    found["score"] = 2 * found["click"] * found["like"] + found["stay"]
    return found


def test_rank_is_prediction_on_tiled_rows(servable, table, expected):
    found = servable.rank(table.slice(0, 1), table)
    assert found.keys() == expected.keys()
    expect(found, expected, spread=0.1)


def test_takes_what_each_side_needs(servable, table, expected):
    own = servable.schema.candidates
    found = servable.rank(
        table.without(own).slice(0, 1).to_pandas(),
        table.select(own).slice(0, 4).to_pandas(),
    )
    np.testing.assert_allclose(
        found["score"], expected["score"][:4], rtol=1e-5, atol=1e-5
    )


def test_dicts_are_rows(servable):
    request = {"city": "Paris", "user": 7, "query": "q1"}
    candidates = [{"item": 1_000_003}, {"item": 5, "tags": [1, 2]}]
    found = servable.rank(request, candidates)
    rows = [{**request, **candidate} for candidate in candidates]
    for task, values in servable.predict_raw(rows).items():
        np.testing.assert_allclose(found[task], values[:, 0], atol=1e-6)


def test_a_history_may_be_none_in_every_row(servable):
    history = "searched_query"
    request = {"city": "Paris", "user": 7, "query": "q1"}
    candidates = [{"item": 1_000_003}, {"item": 5}]
    without = servable.rank(request, candidates)
    with_none = servable.rank({**request, history: None}, candidates)
    for name, values in without.items():
        np.testing.assert_array_equal(with_none[name], values)
    rows = [{**request, **candidate} for candidate in candidates]
    with_none = servable.predict_raw([{**row, history: None} for row in rows])
    for task, values in servable.predict_raw(rows).items():
        np.testing.assert_array_equal(with_none[task], values)


def test_every_dict_has_the_required_ids(servable):
    request = {"city": "Paris", "user": 7, "query": "q1"}
    rows = [{**request, "item": 5}, request]
    with pytest.raises(ValueError, match="row 1 .*item"):
        servable.predict_raw(rows)
    with pytest.raises(ValueError, match="candidates, row 1 .*item"):
        servable.rank(request, [{"item": 5}, {"tags": [1]}])
    with pytest.raises(ValueError, match="request, row 0 .*user"):
        servable.rank({"city": "Paris", "query": "q1"}, [{"item": 5}])


@pytest.mark.parametrize("k", [0, 1, np.int64(5), 10_000, 2**40])
def test_top_k_are_the_best(servable, table, expected, k):
    found = servable.rank(table.slice(0, 1), table, top_k=k)
    order = np.argsort(-expected["score"], kind="stable")[:k]
    np.testing.assert_array_equal(found["index"], order)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values[order], atol=1e-4)


@pytest.mark.parametrize("top_k", [None, 3])
def test_no_candidate(servable, table, top_k):
    some = servable.rank(table.slice(0, 1), table.slice(0, 4), top_k=top_k)
    for nothing in (table.slice(0, 0), [], "[]"):
        found = servable.rank(table.slice(0, 1), nothing, top_k=top_k)
        assert found.keys() == some.keys()
        for name, values in found.items():
            assert values.shape == (0,) and values.dtype == some[name].dtype


def test_wrong_requests_are_refused(servable, table):
    with pytest.raises(ValueError, match="2 rows"):
        servable.rank(table.slice(0, 2), table)
    with pytest.raises(ValueError, match="'item'"):
        servable.rank(table.slice(0, 1), table.without("item"))
    with pytest.raises(ValueError, match="item, tags.*city"):
        servable.rank(table.slice(0, 1), table.select(["city"]))
    for wrong in (-1, 2.0, True):
        with pytest.raises(ValueError, match="`top_k`"):
            servable.rank(table.slice(0, 1), table, top_k=wrong)
    # As many rows as the step of a range that never starts: none.
    for wrong in (0, -5, 2.0):
        with pytest.raises(ValueError, match="`batch_size`"):
            servable.predict_raw(table, batch_size=wrong)
    for wrong in (7, [7], "no JSON"):
        with pytest.raises(ValueError, match="candidates"):
            servable.rank(table.slice(0, 1), wrong)


def call(servable, name, **inputs):
    import tensorflow as tf

    specs = servable.schema.raw_inputs
    tensors = {
        n: tf.constant(inputs.get(n, missing_value(spec)), spec.dtype)
        for n, spec in specs.items()
    }
    if "k" in inputs:
        tensors["k"] = tf.constant(inputs["k"], tf.int32)
    return servable._saved_model.signatures[name](**tensors)


def test_the_graph_itself_refuses_several_requests(servable, table):
    import tensorflow as tf

    inputs = raw_inputs(table.slice(0, 3), servable.schema)
    with pytest.raises(tf.errors.InvalidArgumentError, match="city"):
        call(servable, "rank", **inputs)
    one = {
        n: a if n in servable.schema.candidates else a[:1]
        for n, a in inputs.items()
    }
    assert call(servable, "rank", **one)["score"].shape == (3,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="k,"):
        call(servable, "rank_top_k", **one, k=-1)


def test_examples_are_rows(servable, table):
    import tensorflow as tf

    function = servable._saved_model.signatures["serve_examples"]
    rows = table.slice(0, 9)
    texts = serialize_examples(rows, servable.schema)
    found = function(inputs=tf.constant(texts))
    expected = servable.predict_raw(rows)
    np.testing.assert_array_equal(
        found["classes"][4], [*map(str.encode, expected)]
    )
    np.testing.assert_allclose(
        found["scores"], np.concatenate([*expected.values()], axis=1), atol=1e-6
    )


def test_examples_written_by_others(servable, table):
    import tensorflow as tf

    def ints(*values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def text(value):
        value = tf.train.BytesList(value=[value.encode()])
        return tf.train.Feature(bytes_list=value)

    features = {
        "item": ints(1_000_003),
        "city": text("Zürich"),
        "user": ints(7),
        "query": text("q1"),
        "seen_item": ints(1_000_003, 2_000_006),
        # Two tags of the first event, none of the second.
        "seen_tags": ints(3, 4),
        "seen_tags_lengths": ints(2, 0),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    function = servable._saved_model.signatures["serve_examples"]
    found = function(inputs=tf.constant([example.SerializeToString()]))
    raw = call(
        servable,
        "serve_raw",
        item=[1_000_003],
        city=["Zürich"],
        user=[7],
        query=["q1"],
        seen_item=[[1_000_003, 2_000_006]],
        seen_tags=[[[3, 4], [-1, -1]]],
    )
    np.testing.assert_allclose(
        found["scores"][0],
        [y[0, 0] for y in map(raw.get, servable.schema.task_names)],
        atol=1e-6,
    )
    del features["city"]
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with pytest.raises(tf.errors.InvalidArgumentError, match="city"):
        function(inputs=tf.constant([example.SerializeToString()]))


def test_lengths_that_examples_need():
    schema = Schema(
        [
            Categorical("tags", hash_buckets=3, multivalued=True),
            Categorical("tags_lengths", hash_buckets=3),
        ],
        [Task("click")],
        behaviors=[Behavior("seen", ["tags", "tags_lengths"])],
    )
    with pytest.raises(ValueError, match="'seen_tags_lengths'"):
        check_names(schema)


@pytest.mark.long
def test_a_field_called_as_the_input_of_examples(tmp_path):
    schema = Schema([Categorical("inputs", hash_buckets=3)], [Task("click")])
    rows = Table({"inputs": [1, 2, 3], "click": [0, 1, 0]})
    encoder = Encoder(schema).fit(rows)
    item = keras.Input((), dtype="int32", name="inputs")
    value = keras.layers.Embedding(4, 1)(item)
    other = keras.Model({"inputs": item}, {"click": value})
    path = export(other, encoder, tmp_path, examples=rows, warmup_rows=())
    found = Servable.load(path).predict_raw(rows)["click"]
    expect({"click": found}, predict(other, encoder, rows))


def test_names_that_signatures_need(model, encoder, tmp_path):
    schema = Schema(
        [Categorical("item", hash_buckets=3)],
        [Task("score")],
        candidates=["item"],
    )
    inputs = {"item": keras.Input((), dtype="int32", name="item")}
    value = keras.layers.Embedding(4, 1)(inputs["item"])
    other = keras.Model(inputs, {"score": value})
    with pytest.raises(ValueError, match="'score'"):
        export(other, schema, tmp_path / "a")
    with pytest.raises(ValueError, match="'clik'"):
        export(model, encoder, tmp_path / "a", fusion="clik * 2")
    with pytest.raises(ValueError, match="fusion='click'"):
        export(model, encoder, tmp_path / "a", fusion="click", candidates=[])
    with pytest.raises(ValueError, match="'itm'"):
        export(model, encoder, tmp_path / "a", candidates=["itm"])
    assert not (tmp_path / "a").exists()
