"""Vocabularies and boundaries that an encoder learns."""

import math

import numpy as np
import pytest
from encoder_examples import make_schema, make_table, vocabulary

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import write_table
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task


def test_vocabularies(rows, encoder):
    items = vocabulary(rows["item"], 2, 20)
    assert encoder.vocabularies["item"].tolist() == items
    assert encoder.vocabularies["item"].dtype == np.int64
    # A table that a field reads is not counted over behaviors.
    assert encoder.vocabularies["city"].tolist() == vocabulary(rows["city"])
    tags = [tag for row in rows["tag"] for tag in row]
    assert encoder.vocabularies["tag"].tolist() == vocabulary(tags)
    assert set(encoder.vocabularies) == {"item", "city", "tag"}
    sizes = {name: len(v) + 1 for name, v in encoder.vocabularies.items()}
    assert {n: encoder.schema.table_size(n) for n in sizes} == sizes
    assert encoder.schema.table_size("user") == 51
    assert encoder.schema.is_fitted


def test_quantile_boundaries(rows, encoder):
    finite = [v for v in rows["price"] if math.isfinite(v)]
    expected = np.quantile(np.float32(finite).astype(float), [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(
        encoder.boundaries["price"], np.unique(expected.astype("float32"))
    )
    paid = [v for row in rows["paid_paid_price"] for v in row if v == v]
    expected = np.quantile(np.float32(paid).astype(float), [1 / 3, 2 / 3])
    np.testing.assert_array_equal(
        encoder.boundaries["paid_price"], expected.astype("float32")
    )


def test_unused_values_are_not_learned():
    column = ListColumn(np.array([1, 2, 3, 9]), [0, 1], [2, 3])
    table = Table({"price": [1.0, 2.0], "seen_item": column, "click": [0, 1]})
    schema = Schema(
        [Numeric("price")],
        [Task("click")],
        [Behavior("seen", [Categorical("item")])],
    )
    encoder = Encoder(schema).fit(table)
    assert encoder.vocabularies["item"].tolist() == [2, 1, 3]


def test_shared_table_pools_its_fields():
    schema = Schema(
        [Categorical("a", table="city"), Categorical("b", table="city")],
        [Task("y")],
    )
    table = Table({"a": [1, 2, 2], "b": [3, 3, 3], "y": [0, 1, 0]})
    encoder = Encoder(schema).fit(table)
    assert encoder.vocabularies["city"].tolist() == [3, 2, 1]
    assert encoder.encode(table)["a"].tolist() == [3, 2, 2]


def test_log_boundaries():
    schema = Schema([Numeric("n", bins=4, binning="log")], [Task("y")])
    values = np.array([-5.0, 0.0, 1.0, 1000.0, np.inf, np.nan])
    table = Table({"n": values, "y": np.zeros(6)})
    encoder = Encoder(schema).fit(table)
    np.testing.assert_allclose(encoder.boundaries["n"], [1, 10, 100], rtol=1e-6)
    assert encoder.boundaries["n"].dtype == np.float32
    assert encoder.encode(table)["n"].tolist() == [1, 1, 2, 4, 4, 0]


@pytest.mark.parametrize("binning", ["quantile", "log"])
def test_no_edge_leaves_the_lowest_bin_untrained(binning):
    schema = Schema([Numeric("n", bins=8, binning=binning)], [Task("y")])
    table = Table({"n": [3] * 90 + [5] * 10, "y": np.zeros(100)})
    encoder = Encoder(schema).fit(table)
    ids = encoder.encode(table)["n"]
    assert ids[0] == 1 and ids[-1] > 1
    constant = Table({"n": [3, 3], "y": [0, 0]})
    assert not len(Encoder(schema).fit(constant).boundaries["n"])


def test_a_frequent_value_leaves_bins_to_the_others():
    schema = Schema([Numeric("n", bins=5)], [Task("y")])
    values = np.concatenate([np.zeros(900), np.arange(1, 101)])
    table = Table({"n": values, "y": np.zeros(1000)})
    encoder = Encoder(schema).fit(table)
    expected = [1, *np.quantile(np.arange(1, 101), [0.25, 0.5, 0.75])]
    assert encoder.boundaries["n"].tolist() == expected


def test_nothing_known():
    schema = Schema(
        [Categorical("a"), Categorical("s", dtype="string"), Numeric("n")],
        [Task("y")],
    )
    none = np.full(3, np.nan)
    table = Table({"a": none, "s": [None] * 3, "n": none, "y": none})
    encoder = Encoder(schema).fit(table)
    assert encoder.schema.table_size("a") == 1
    encoded = encoder.encode(table)
    for name in ("a", "s", "n", "weight:y"):
        assert encoded[name].tolist() == [0, 0, 0]


def test_chunks_learn_the_same(tmp_path, rows, encoder):
    path = tmp_path / "train.parquet"
    write_table(make_table(rows), path, row_group_size=17)
    streamed = Encoder(make_schema()).fit(path)
    assert streamed.schema == encoder.schema
    for name, ids in encoder.vocabularies.items():
        np.testing.assert_array_equal(streamed.vocabularies[name], ids)
    for name, edges in encoder.boundaries.items():
        np.testing.assert_array_equal(streamed.boundaries[name], edges)


def test_csv_text_ids_that_look_like_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("zip,y\n007,1\n7,0\n007,1\n")
    schema = Schema([Categorical("zip", dtype="string")], [Task("y")])
    encoder = Encoder(schema).fit(path)
    assert encoder.vocabularies["zip"].tolist() == ["007", "7"]
    assert encoder.text_columns == ("zip",)
