"""Ranking and versions by the client, against stand-ins."""

import math

import numpy as np
import pandas as pd
import pytest
from tiny_served import ROWS, column, make_schema

from keras_infnet.data.sources.table import Table
from keras_infnet.serving import ServingError

pytestmark = pytest.mark.serving


def only(protocol):
    return pytest.mark.parametrize("connect", [protocol], indirect=True)


# --------------------------------------------------------------------- ranking

REQUEST = {k: ROWS[0][k] for k in ("user", "city", "seen_item")}
ITEMS = [
    {"item": item, "price": price, "tags": tags}
    for item, price, tags in (
        (9, 0.0, [1]),
        (4, math.nan, []),
        (4, 0.0, [1, 2]),
        (8, -4.0, [3]),
        (1, 8.0, [1, 2, 3]),
        (2, 4.0, []),
        (6, 1.0, [5]),
    )
]
WHOLE = [{**REQUEST, **item} for item in ITEMS]


@pytest.mark.parametrize("most, calls", [(100, 1), (7, 1), (3, 3), (1, 7)])
def test_candidates_keep_their_order(connect, model, most, calls):
    found = connect().rank(REQUEST, ITEMS, max_candidates=most)
    assert sorted(found) == ["click", "like", "score"]
    for task in ("click", "like"):
        np.testing.assert_array_equal(found[task], column(WHOLE, task))
    np.testing.assert_array_equal(found["score"], -found["click"])
    assert model.requests == ["rank"] * calls


@pytest.mark.parametrize("most", [100, 4, 2, 1])
@pytest.mark.parametrize("top_k", [1, 3, 7, 50])
def test_the_best_of_all_parts(connect, model, most, top_k):
    found = connect().rank(REQUEST, ITEMS, top_k, max_candidates=most)
    # Lowest click first; of equal ones (1, 2 and 4, 5) the first.
    by_hand = [4, 5, 1, 2, 6, 3, 0]
    clicks = column(WHOLE, "click")
    assert sorted(range(7), key=lambda i: (clicks[i], i)) == by_hand
    assert found["index"].tolist() == by_hand[:top_k]
    for task in ("click", "like"):
        expected = column(WHOLE, task)[by_hand[:top_k]]
        np.testing.assert_array_equal(found[task], expected)
    assert set(model.requests) == {"rank_top_k"}


def test_no_candidates_need_no_call(connect, model):
    client = connect()
    for nothing in ([], Table({}), "[]"):
        assert client.rank(REQUEST, nothing)["score"].shape == (0,)
        best = client.rank(REQUEST, nothing, top_k=3)
        assert best["index"].dtype == np.int64 and not len(best["index"])
    assert not model.requests


def test_optional_columns_of_candidates(connect):
    items = [{"item": item["item"]} for item in ITEMS]
    request = {"user": 7, "city": "Bern"}
    found = connect().rank(request, items, max_candidates=4)
    rows = [{**request, **item} for item in items]
    np.testing.assert_array_equal(found["like"], column(rows, "like"))


def test_what_is_refused_before_it_is_sent(connect, model):
    client = connect()
    for rows, message in (
        ([{"user": 1, "city": "x"}], "row 0 .*item"),
        (Table({"user": [1]}), "'city'"),
        ([{**ROWS[0], "user": 1.5}], "user"),
        ([{**ROWS[0], "user": 2**63}], "user|9223372036854775808"),
        ([{**ROWS[0], "price": "dear"}], "price"),
        ([{**ROWS[0], "seen_item": 3}], "seen_item"),
        ([ROWS[0], 3], "list of int"),
        ("[{", "JSON"),
        ("3", "Received: int"),
        (b"\xff", "JSON"),
    ):
        with pytest.raises(ValueError, match=message):
            client.predict(rows)
    with pytest.raises(ValueError, match="'rank'.*`rank`"):
        client.predict(ROWS, "rank")
    for request, items, message in (
        ([REQUEST, REQUEST], ITEMS, "2 rows"),
        ({"user": 1}, ITEMS, "request, row 0 .*city"),
        (pd.DataFrame([{"user": 1}]), ITEMS, "'city'"),
        (REQUEST, [{"price": 1.0}], "candidates, row 0 .*item"),
        (REQUEST, pd.DataFrame([{"price": 1.0}]), "'item'"),
    ):
        with pytest.raises(ValueError, match=message):
            client.rank(request, items)
    for options in ({"top_k": 0}, {"top_k": True}, {"max_candidates": 1.5}):
        with pytest.raises(ValueError, match=f"`{[*options][0]}`"):
            client.rank(REQUEST, ITEMS, **options)
    with pytest.raises(ValueError, match="`candidates`"):
        connect(schema=make_schema(())).rank(REQUEST, ITEMS)
    assert not model.requests


# -------------------------------------------------------------------- versions


def test_versions_and_labels(connect, model):
    model.labels = {"stable": 1, "canary": 2}
    row = ROWS[2]
    for options, version in (
        ({}, 1),
        ({"version": 2}, 2),
        ({"label": "canary"}, 2),
        ({"label": "stable"}, 1),
    ):
        found = connect(**options).predict(row)["click"]
        assert found.item() == 1000 * version + 4.5, options


@only("grpc")
def test_parts_are_of_one_version(connect, model):
    model.newest = [1, 2]  # the server changes over behind the first part
    found = connect().rank(REQUEST, ITEMS, max_candidates=4)
    np.testing.assert_array_equal(found["click"], column(WHOLE, "click", 2))
    assert len(model.requests) == 4
    model.newest = [1, 2] * 9
    with pytest.raises(ServingError, match="version") as caught:
        connect().rank(REQUEST, ITEMS, max_candidates=4)
    assert caught.value.code == "ABORTED"


def test_the_schema_of_a_folder(connect, directory):
    from_version = connect(schema=directory / "1").schema
    assert from_version == make_schema()
    newest = connect(schema=str(directory)).schema
    assert newest == make_schema(candidates=())
    assert connect(schema=directory / "1" / "schema.json").schema == (
        from_version
    )
