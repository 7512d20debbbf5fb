"""Tables that an encoder refuses."""

import numpy as np
import pytest
from encoder_examples import make_schema, make_table

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import write_table
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Categorical, Schema, Task


def test_not_fitted(tmp_path):
    encoder = Encoder(Schema([Categorical("item")], [Task("y")]))
    with pytest.raises(ValueError, match="not fitted"):
        encoder.encode(Table({"item": [1], "y": [0]}))
    with pytest.raises(ValueError, match="fit the encoder"):
        encoder.save(tmp_path)
    hashed = Schema([Categorical("item", hash_buckets=3)], [Task("y")])
    assert Encoder(hashed).is_fitted
    with pytest.raises(ValueError, match="`schema`.*fields"):
        Encoder({"fields": []})


@pytest.mark.parametrize("buckets", [None, 3])
def test_empty_training_part(buckets):
    schema = Schema([Categorical("item", hash_buckets=buckets)], [Task("y")])
    with pytest.raises(ValueError, match="no rows"):
        Encoder(schema).fit(Table({"item": np.empty(0, int), "y": []}))


def test_all_missing_columns_are_named_at_once(rows, encoder):
    table = make_table(rows).without(["city", "seen_time", "buy"])
    table = table.with_columns({"citty": table["item"]})
    with pytest.raises(
        ValueError,
        match=r"lacks 3 of the 14 columns.*'city' \(nearest: 'citty'\), "
        "'seen_time'.*'buy'",
    ):
        encoder.encode(table)
    with pytest.raises(ValueError, match="lacks 2 of the 11"):
        encoder.encode(table, labels=False)
    with pytest.raises(ValueError, match="lacks 2 of the 11"):
        Encoder(make_schema()).fit(table)


def test_unequal_lengths(rows, encoder):
    table = make_table(rows)
    lists = table["seen_item"].to_lists()
    lists[7] = [1, 2, 3, 4, 5, 6, 7]
    bad = table.with_columns({"seen_item": ListColumn.from_lists(lists)})
    count = len(rows["seen_tag"][7])
    with pytest.raises(
        ValueError,
        match=f"behavior 'seen', row 7: .*7 in 'seen_item', {count} in "
        "'seen_tag'",
    ):
        encoder.encode(bad)


def test_behavior_that_is_not_a_list(rows, encoder):
    table = make_table(rows)
    bad = table.with_columns({"seen_item": table["item"]})
    with pytest.raises(ValueError, match="'seen_item': .*must hold lists"):
        encoder.encode(bad)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("click", [0, 2, 1], r"'click', row 1: .*0, 1 or NaN.*2.*regression"),
        ("click", [0, 1, -1], "'click', row 2"),
        ("click", [0, 1, np.inf], "'click', row 2"),
        ("click", ["0", "1", "1"], "'click'.*must be a number.*'0'"),
        ("stars", [1.0, np.inf, 2.0], "'stars', row 1: .*finite or NaN"),
    ],
)
def test_bad_labels(rows, encoder, column, values, message):
    table = make_table(rows).slice(0, 3).with_columns({column: values})
    with pytest.raises(ValueError, match=message):
        encoder.encode(table)


def test_errors_of_fit_name_the_part(tmp_path):
    path = tmp_path / "a.parquet"
    values = np.array([1.0, 2.0, 3.0, 4.5])
    write_table(Table({"item": values, "y": values}), path, row_group_size=2)
    schema = Schema([Categorical("item")], [Task("y")])
    with pytest.raises(
        ValueError,
        match=r"a.parquet, row group 1.*: column 'item', row 1: .*4.5",
    ):
        Encoder(schema).fit(path)
