"""Tables that an encoder encodes."""

import logging
import math

import numpy as np
import pandas as pd
from encoder_examples import bin_of, gap_of, make_table, vocabulary

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.hashing import hash_ids
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task


def test_encode_equals_a_loop(rows, encoder):
    encoded = encoder.encode(make_table(rows))
    ids = {
        name: {v: i + 1 for i, v in enumerate(values.tolist())}
        for name, values in encoder.vocabularies.items()
    }
    prices = encoder.boundaries["price"]
    paids = encoder.boundaries["paid_price"]
    for i in range(len(rows["item"])):
        row = {name: values[i] for name, values in rows.items()}
        assert encoded["item"][i] == ids["item"].get(row["item"], 0)
        assert encoded["city"][i] == ids["city"].get(row["city"], 0)
        assert encoded["user"][i] == hash_ids(np.array([row["user"]]), 50)[0]
        tags = [ids["tag"].get(tag, 0) for tag in row["tag"][:2]]
        assert encoded["tag"][i].tolist() == tags
        assert encoded["price"][i] == bin_of(row["price"], prices)
        events = [
            (item, tags, time)
            for item, tags, time in zip(
                row["seen_item"], row["seen_tag"], row["seen_time"], strict=True
            )
            if item >= 0 or any(tag >= 0 for tag in tags)
        ][-3:]
        assert encoded["seen_item"][i].tolist() == [
            ids["item"].get(item, 0) for item, _, _ in events
        ]
        assert encoded["seen_tag"][i : i + 1].to_lists()[0] == [
            [ids["tag"].get(tag, 0) for tag in tags[:2]]
            for _, tags, _ in events
        ]
        assert encoded["seen_gap"][i].tolist() == [
            gap_of(row["time"], time) for _, _, time in events
        ]
        events = [
            (price, city)
            for price, city in zip(
                row["paid_paid_price"], row["paid_city"], strict=True
            )
            if price == price or city
        ]
        assert encoded["paid_paid_price"][i].tolist() == [
            bin_of(price, paids) for price, _ in events
        ]
        assert encoded["paid_city"][i].tolist() == [
            ids["city"].get(city, 0) for _, city in events
        ]


def test_encoded_columns(rows, encoder):
    table = make_table(rows)
    encoded = encoder.encode(table)
    masks = {"seen_mask", "paid_mask"}
    inputs = set(encoder.schema.inputs) - masks
    tasks = {
        f"{k}:{t}" for k in ("label", "weight") for t in ("click", "buy")
    } | {"label:stars", "weight:stars"}
    assert set(encoded.columns) == inputs | tasks | {"group:"}
    assert len(encoded) == len(table)
    for name in inputs:
        assert encoded[name].dtype == np.int32
    for name in tasks:
        assert encoded[name].dtype == np.float32
    assert (encoded["group:"] == table["user"]).all()
    bare = table.without(["click", "buy", "stars"])
    assert set(encoder.encode(bare, labels=False).columns) == inputs


def test_labels_and_weights(rows, encoder):
    encoded = encoder.encode(make_table(rows))
    for i, (click, buy, stars) in enumerate(
        zip(rows["click"], rows["buy"], rows["stars"], strict=True)
    ):
        buys = click == 1 and not math.isnan(buy)
        rates = click == 1 and buy == 1 and not math.isnan(stars)
        assert encoded["weight:click"][i] == (not math.isnan(click))
        assert encoded["weight:buy"][i] == buys
        assert encoded["weight:stars"][i] == rates
        assert encoded["label:click"][i] == (click == 1)
        assert encoded["label:buy"][i] == (buy == 1)
        assert encoded["label:stars"][i] == (0 if stars != stars else stars)


def test_views_are_encoded_once_and_as_copies(encoder, rows):
    rng = np.random.default_rng(1)
    table = make_table(rows)
    size, count = 400, len(table)
    starts = rng.integers(0, size, count)
    ends = np.minimum(starts + rng.integers(0, 9, count), size)
    tags = ListColumn.from_lists(
        [rng.integers(-1, 6, k).tolist() for k in rng.integers(0, 3, size)]
    )
    views = {
        "seen_item": rng.integers(-1, 30, size),
        "seen_tag": tags,
        "seen_time": rng.integers(0, 10**6, size),
    }
    shared = table.with_columns(
        {n: ListColumn(v, starts, ends) for n, v in views.items()}
    )
    copied = table.with_columns({n: shared[n].compact() for n in views})
    # One column of another layout.
    mixed = shared.with_columns({"seen_tag": copied["seen_tag"]})
    encoded = encoder.encode(shared)
    assert len(encoded["seen_item"].values) <= size
    for other in (copied, mixed):
        again = encoder.encode(other)
        for name in encoded.columns:
            if name.startswith("seen"):
                assert encoded[name].to_lists() == again[name].to_lists()
    # What is learned does not depend on the layout either.
    schema = Schema(
        [Numeric("price")],
        [Task("click")],
        [Behavior("seen", [Categorical("item", min_count=3), "price"])],
    )
    prices = {"seen_price": ListColumn(rng.normal(size=size), starts, ends)}
    one = Encoder(schema).fit(shared.with_columns(prices))
    two = Encoder(schema).fit(
        copied.with_columns({"seen_price": prices["seen_price"].compact()})
    )
    items = [v for row in copied["seen_item"].to_lists() for v in row]
    assert one.vocabularies["item"].tolist() == vocabulary(items, 3)
    np.testing.assert_array_equal(
        one.vocabularies["item"], two.vocabularies["item"]
    )


def test_encoding_in_parts_equals_the_whole(rows, encoder):
    table = make_table(rows)
    whole = encoder.encode(table)
    parts = [encoder.encode(table.slice(i, i + 30)) for i in range(0, 200, 30)]
    for name in whole.columns:
        joined = Table.concat([part.select([name]) for part in parts])[name]
        if isinstance(joined, ListColumn):
            assert joined.to_lists() == whole[name].to_lists()
        else:
            np.testing.assert_array_equal(joined, whole[name])
    assert len(encoder.encode(table.slice(0, 0))) == 0


def test_pandas_frames(rows):
    frame = pd.DataFrame({"item": [1, None, 1], "y": [True, False, True]})
    frame["item"] = frame["item"].astype("Int64")
    encoder = Encoder(Schema([Categorical("item")], [Task("y")])).fit(frame)
    encoded = encoder.encode(frame)
    assert encoded["item"].tolist() == [1, 0, 1]
    assert encoded["label:y"].tolist() == [1, 0, 1]


def test_long_sequences_are_reported_once(caplog):
    schema = Schema(
        [Categorical("item")],
        [Task("y")],
        [Behavior("seen", ["item"], max_length=2)],
    )
    lists = ListColumn.from_lists([[1, 2, 3], [4], [5, 6, 7, 8]])
    table = Table({"item": [1, 2, 3], "seen_item": lists, "y": [0, 1, 0]})
    encoder = Encoder(schema).fit(table)
    with caplog.at_level(logging.INFO, "keras_infnet"):
        encoded = encoder.encode(table)
        encoder.encode(table)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("behavior 'seen': 2 of 3 rows")
    assert encoder.truncated == {"seen": 4}
    assert encoded["seen_item"].to_lists() == [[2, 3], [0], [0, 0]]


def test_events_after_their_request_are_reported_once(caplog):
    schema = Schema(
        [Categorical("item")],
        [Task("y")],
        [Behavior("seen", ["item"], max_length=3, timed=True)],
        request_time="time",
        time_unit="s",
    )
    table = Table(
        {
            "item": [1, 2, 3],
            "seen_item": ListColumn.from_lists([[1, 2], [3], [1]]),
            # Equal times are no leak, unknown ones say nothing.
            "seen_time": ListColumn.from_lists([[90, 101], [100], [-1]]),
            "time": [100, 100, 100],
            "y": [0, 1, 0],
        }
    )
    encoder = Encoder(schema).fit(table)
    with caplog.at_level(logging.INFO, "keras_infnet"):
        encoder.encode(table)
        encoder.encode(table)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "'seen': 1 of 4 events are later than their request" in message
    assert encoder.later == {"seen": 2}
