import logging

import numpy as np
import pytest

from keras_infnet.data.drafts.draft_schema import draft_schema
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rows = 3000
    lengths = rng.integers(0, 9, rows)

    def lists(values):
        ends = np.cumsum(lengths)
        return ListColumn(values, ends - lengths, ends)

    events = int(lengths.sum())
    texts = [f"{a},{b}" for a in range(9) for b in range(9)]
    cities = np.array(["Rom", "Oslo", "Bern"], object)
    return Table(
        {
            "user_id": rng.integers(0, 2000, rows),
            "video_id": rng.integers(0, 500, rows).astype(float),
            "tab": rng.integers(0, 5, rows),
            "flag": rng.random(rows) < 0.5,
            "city": cities[rng.integers(0, 3, rows)],
            "tag": np.array(texts, object)[rng.integers(0, 81, rows)],
            "duration_ms": rng.integers(0, 10**5, rows),
            "age": rng.integers(10, 70, rows),
            "score": rng.normal(size=rows),
            "request_id": np.arange(rows),
            "trace": np.arange(rows).astype(str).astype(object),
            "born": np.zeros(rows, "datetime64[s]"),
            "empty": np.full(rows, np.nan),
            "2nd": np.zeros(rows, int),
            "play_ms": rng.integers(0, 10**6, rows),
            "time_ms": 1_650_000_000_000 + np.arange(rows),
            "keyword": ListColumn.from_lists([["a", "b"], [], ["c"]] * 1000),
            "long_view_video_id": lists(rng.integers(0, 500, events)),
            "long_view_tag": lists(np.array(["1,2"] * events, object)),
            "long_view_watch": lists(rng.random(events)),
            "long_view_time": lists(rng.integers(0, 10**6, events)),
            "vector": ListColumn.from_lists([[0.5, 0.1]] * rows),
            "click": rng.integers(0, 2, rows),
            "like": np.where(rng.random(rows) < 0.5, 1.0, np.nan),
            "stars": rng.normal(size=rows),
        }
    )


def test_draft(table, caplog):
    with caplog.at_level(logging.INFO, "keras_infnet"):
        schema = draft_schema(
            table,
            ["click", "like", "stars"],
            group="user_id",
            request_time="time_ms",
            scenario="tab",
            exclude=["play_ms"],
        )
    assert schema == Schema(
        fields=[
            Categorical("user_id", min_count=2),
            Categorical("video_id"),
            Categorical("tab"),
            Categorical("flag"),
            Categorical("city", dtype="string"),
            Categorical("tag", multivalued=True),
            Numeric("duration_ms"),
            Categorical("age"),
            Numeric("score"),
            Categorical(
                "keyword", dtype="string", multivalued=True, max_values=2
            ),
        ],
        behaviors=[
            Behavior(
                "long_view",
                ["video_id", "tag", Numeric("watch")],
                max_length=8,
                timed=True,
            )
        ],
        tasks=[
            Task("click"),
            Task("like"),
            Task("stars", kind="regression"),
        ],
        group="user_id",
        scenario="tab",
        request_time="time_ms",
    )
    skipped = [record.getMessage() for record in caplog.records]
    for name in ("request_id", "trace", "born", "empty", "2nd", "vector"):
        assert any(repr(name) in message for message in skipped), name
    # A draft is good enough to encode the table it was drawn from.
    encoded = Encoder(schema).fit(table).encode(table)
    assert encoded["long_view_gap"].dtype == np.int32


def test_unequal_lengths_make_no_behavior():
    table = Table(
        {
            "item": [1, 2],
            "seen_a": ListColumn.from_lists([[1], [2]]),
            "seen_b": ListColumn.from_lists([[1, 2], [2]]),
            "like_item": ListColumn.from_lists([[1], [2]]),
            "y": [0, 1],
        }
    )
    schema = draft_schema(table, "y")
    assert [b.name for b in schema.behaviors] == ["like"]
    assert schema.behaviors[0].attributes == ("item",)
    assert [f.name for f in schema.fields] == ["item", "seen_a", "seen_b"]


def test_attribute_of_another_kind_gets_its_own_table():
    table = Table(
        {
            "item": [1, 2],
            "seen_item": ListColumn.from_lists([["a"], ["b"]]),
            "y": [0, 1],
        }
    )
    schema = draft_schema(table, ["y"])
    (attribute,) = schema.attributes("seen")
    assert attribute.dtype == "string"
    assert attribute.table_name == "seen_item"


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        (1_650_000_000, "s"),
        (1_650_000_000_000, "ms"),
        (1_650_000_000_000_000, "us"),
        (1_650_000_000_000_000_000, "ns"),
    ],
)
def test_time_unit(time, unit):
    table = Table({"item": [1], "at": [time], "y": [1]})
    assert draft_schema(table, ["y"], request_time="at").time_unit == unit


def test_bad_arguments(table):
    with pytest.raises(ValueError, match="unknown column 'clik'.*'click'"):
        draft_schema(table, ["clik"])
    with pytest.raises(ValueError, match="unknown column 'usr_id'"):
        draft_schema(table, ["click"], group="usr_id")
    with pytest.raises(ValueError, match="at least one column"):
        draft_schema(table, [])
    with pytest.raises(ValueError, match="'city' must be a column of numbers"):
        draft_schema(table, ["city"])
    with pytest.raises(ValueError, match="no column is left"):
        draft_schema(table.select(["click"]), ["click"])


def test_names_that_tensorflow_refuses(caplog):
    lists = ListColumn.from_lists([[1], [2]])
    table = Table(
        {
            "class": [1, 2],
            "Class": [1, 2],
            "Age": [1, 2],
            "age": [1, 2],
            "USER": [3, 4],
            "user": [3, 4],
            "seen_class": lists,
            "seen_user": lists,
            "in_user": lists,
            "y": [0, 1],
        }
    )
    with caplog.at_level(logging.INFO, "keras_infnet"):
        schema = draft_schema(table, ["y"], group="user")
    assert [f.name for f in schema.fields] == [
        "Class",
        "Age",
        "user",
        "in_user",
    ]
    assert [b.name for b in schema.behaviors] == ["seen"]
    assert schema.behaviors[0].attributes == ("user",)
    messages = [record.getMessage() for record in caplog.records]
    for name in ("class", "age", "USER"):
        assert any(f"column {name!r} is left out" in m for m in messages)


def test_lists_that_became_texts_are_left_out(caplog):
    table = Table(
        {
            "item": [1, 2, 1, 2],
            "tags": ["['a', 'b']", "[]", "['b']", "['a']"],
            "click": [0, 1, 1, 0],
        }
    )
    with caplog.at_level(logging.INFO, "keras_infnet"):
        schema = draft_schema(table, ["click"])
    assert [field.name for field in schema.fields] == ["item"]
    assert "'tags' is left out of the draft: its texts are lists" in caplog.text
