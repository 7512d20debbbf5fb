"""Predictions of the client, over sockets, against stand-ins."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from tiny_served import ROWS, column

from keras_infnet.data.sources.table import Table

pytestmark = pytest.mark.serving


FORMS = {
    "dicts": ROWS,
    "JSON": json.dumps(ROWS),
    "frame": pd.DataFrame(ROWS),
    "table": Table({n: [row[n] for row in ROWS] for n in ROWS[0]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_every_form(connect, model, form):
    found = connect().predict(FORMS[form])
    assert sorted(found) == ["click", "like"]
    for task, array in found.items():
        assert array.dtype == np.float32 and array.shape == (3, 1)
        np.testing.assert_array_equal(array[:, 0], column(ROWS, task))
    assert model.requests == ["serve_raw"]


def test_optional_columns_may_be_left_out(connect):
    names = ("user", "city", "item")
    rows = [{name: row[name] for name in names} for row in ROWS]
    found = connect().predict(rows)
    np.testing.assert_array_equal(found["like"][:, 0], column(rows, "like"))
    one = connect().predict(rows[1])
    np.testing.assert_array_equal(one["click"], [[1005]])


def test_large_ids_beside_a_missing_one(connect):
    rows = [{**ROWS[1]}, {**ROWS[1], "user": None, "seen_item": None}]
    found = connect().predict(rows)["like"][:, 0]
    # -1 % 8 is 7, and 2**60 + 1 would be 2**60 as a float: 0, not 1.
    np.testing.assert_array_equal(found, [611, 607])


def test_bytes_are_text(connect, model):
    rows = Table(
        {
            "user": [0],
            "city": np.array(["Zürich".encode()], object),
            "item": [1],
        }
    )
    assert connect().predict(rows)["like"].tolist() == [[700]]
    bad = rows.with_columns({"city": np.array([b"\xff"], object)})
    half = [{**ROWS[0], "city": "\ud83d"}]
    model.requests.clear()
    with pytest.raises(ValueError, match="UTF-8"):
        connect().predict(bad)
    with pytest.raises(ValueError, match="UTF-8"):
        connect().predict(half)
    with pytest.raises(ValueError, match="UTF-8"):
        connect().predict(json.dumps(half))
    with pytest.raises(ValueError, match="input 'city'.*UTF-8"):
        connect().call({"city": ["\ud83d"]}, "serve_raw")
    assert not model.requests


def test_many_rows_take_several_calls(connect, model):
    rows = [{**ROWS[0], "item": item} for item in range(7)]
    found = connect().predict(rows, batch_size=3)
    np.testing.assert_array_equal(found["click"][:, 0], column(rows, "click"))
    assert len(model.requests) == 3


def test_no_rows_need_no_call(connect, model):
    for rows in ([], Table({}), pd.DataFrame()):
        assert connect().predict(rows)["like"].shape == (0, 1)
    assert not model.requests


def test_encoded_ids(connect):
    table = Table(
        {
            "user": [1, 2],
            "city": [0, 0],
            "item": [3, 4],
            "price": [1, 0],
            "tags": [[1, 1], []],
            "seen_item": [[5, 6], [7]],
        }
    )
    ids = {name: table[name].astype(np.int32) for name in table.columns}
    found = connect().predict(Table(ids), "serving_default")
    assert found["click"].tolist() == [[7], [6]]
    assert found["like"].tolist() == [[2], [1]]


def test_arrays_of_any_signature(connect):
    arrays = {
        "user": np.array([3]),
        "city": np.array([b"\xff\xfe"], object),
        "item": np.array([4, 5]),
        "price": np.array([math.nan, math.inf], np.float32),
        "tags": np.array([[-1]]),
        "seen_item": np.array([[-1]]),
    }
    found = connect().call(arrays, "rank")
    np.testing.assert_array_equal(found["click"], [1004, math.inf])
    assert found["like"][0] == 203


def test_bytes_keep_the_zeros_at_their_end(connect):
    found = connect().call({"inputs": [b"a\0b\0\0", b""]}, "serve_examples")
    (scores,) = found.values()
    assert scores.tolist() == [[5], [0]]
