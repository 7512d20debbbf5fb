"""The client, over sockets, against stand-ins for TensorFlow Serving."""

import importlib.util
import json
import math
import os
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from stand_ins import GrpcStandIn, RestStandIn, ServedModel
from tiny_served import NAME, ROWS, column, make_schema, save

from keras_infnet.data.table import Table
from keras_infnet.schema import Schema, Task
from keras_infnet.serving import Client, ServingError

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved_models") / NAME
    for version in (1, 2):
        save(directory / str(version), version)
    make_schema().save(directory / "1" / "schema.json")
    make_schema(candidates=()).save(directory / "2" / "schema.json")
    return directory


@pytest.fixture(scope="module")
def loaded(directory):
    model = ServedModel(NAME, directory, (1, 2))
    yield model
    for session, _ in model.loaded.values():
        session.close()


@pytest.fixture
def model(loaded):
    """As on a server that was started this moment, with version 1."""
    loaded.reset()
    loaded.newest = [1]
    yield loaded
    loaded.stalled.set()


@pytest.fixture(scope="module")
def servers(loaded):
    servers = {"rest": RestStandIn(loaded)}
    if importlib.util.find_spec("tensorflow_serving") is not None:
        servers["grpc"] = GrpcStandIn(loaded)
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(params=["grpc", "rest"])
def connect(request, servers, model):
    """Makes clients of one protocol, and closes them."""
    if request.param not in servers:
        pytest.skip("needs tensorflow-serving-api")
    clients = []

    def connect(name=NAME, schema=None, **options):
        options = {"timeout": 10.0, "protocol": request.param, **options}
        port = servers[options["protocol"]].port
        client = Client(
            f"127.0.0.1:{port}", name, schema or make_schema(), **options
        )
        clients.append(client)
        return client

    connect.protocol = request.param
    yield connect
    for client in clients:
        client.close()


def only(protocol):
    return pytest.mark.parametrize("connect", [protocol], indirect=True)


# ------------------------------------------------------------- predictions


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
    with pytest.raises(ValueError, match="not UTF-8 text"):
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


# ----------------------------------------------------------------- ranking

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
        ([{"user": 1, "city": "x"}], "row 0: item must be there"),
        (Table({"user": [1]}), "unknown column 'city'"),
        ([{**ROWS[0], "user": 1.5}], "needs whole numbers"),
        ([{**ROWS[0], "user": 2**63}], "does not fit|too large|overflow"),
        ([{**ROWS[0], "price": "dear"}], "needs numbers"),
        ([{**ROWS[0], "seen_item": 3}], "must hold lists"),
        ([ROWS[0], 3], "list of int"),
        ("[{", "no JSON text"),
        ("3", "Received: int"),
        (b"\xff", "no JSON text"),
    ):
        with pytest.raises(ValueError, match=message):
            client.predict(rows)
    with pytest.raises(ValueError, match="unknown signature 'rank'.*`rank`"):
        client.predict(ROWS, "rank")
    for request, items, message in (
        ([REQUEST, REQUEST], ITEMS, "one row.*2 rows"),
        ({"user": 1}, ITEMS, "the request, row 0: city"),
        (pd.DataFrame([{"user": 1}]), ITEMS, "columns city"),
        (REQUEST, [{"price": 1.0}], "candidates, row 0: item"),
        (REQUEST, pd.DataFrame([{"price": 1.0}]), "columns item"),
    ):
        with pytest.raises(ValueError, match=message):
            client.rank(request, items)
    for options in ({"top_k": 0}, {"top_k": True}, {"max_candidates": 1.5}):
        with pytest.raises(ValueError, match="positive integer"):
            client.rank(REQUEST, ITEMS, **options)
    with pytest.raises(ValueError, match="`candidates` are empty"):
        connect(schema=make_schema(())).rank(REQUEST, ITEMS)
    assert not model.requests


# ---------------------------------------------------------------- versions


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
    with pytest.raises(ServingError, match="another version") as caught:
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


# ---------------------------------------------------------------- statuses


def wrong_shape():
    arrays = {name: np.zeros(2, np.int64) for name in ("user", "item")}
    floats = {"price": np.zeros(2, np.float32)}
    lists = {name: np.zeros((3, 1), int) for name in ("tags", "seen_item")}
    return {**arrays, **floats, **lists, "city": np.array(["a"] * 2, object)}


def test_statuses_of_the_server(connect, model):
    name = connect.protocol
    unknown = {"grpc": "FAILED_PRECONDITION", "rest": "INVALID_ARGUMENT"}
    typed = {**wrong_shape(), "user": np.zeros(2, bool)}
    for options, call, code, message in (
        ({"name": "olds"}, None, "NOT_FOUND", "olds.*models.config"),
        ({"version": 9}, None, "NOT_FOUND", "not found for request"),
        ({"label": "best"}, None, "INVALID_ARGUMENT", "label: best"),
        ({}, (wrong_shape(), "rank_all"), unknown[name], "rank_all"),
        ({}, (wrong_shape(), "serve_raw"), "INVALID_ARGUMENT", "schema"),
        ({}, (typed, "serve_raw"), "INVALID_ARGUMENT", "type"),
        ({}, ({"user": [1]}, "serve_raw"), "INVALID_ARGUMENT", "issing"),
    ):
        client = connect(**options)
        model.requests.clear()
        with pytest.raises(ServingError, match=message) as caught:
            client.call(*call) if call else client.predict(ROWS)
        assert caught.value.code == code
        assert len(model.requests) == 1


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "INTERNAL"])
def test_other_statuses_are_not_tried_again(connect, model, code):
    model.failures = [code] * 9
    with pytest.raises(ServingError, match=f": it's {code}. ") as caught:
        connect().predict(ROWS)
    assert caught.value.code == code
    assert len(model.requests) == 1


def test_an_unavailable_server_is_asked_again(connect, model):
    model.failures = ["UNAVAILABLE"] * 2
    found = connect(retries=2).predict(ROWS)
    np.testing.assert_array_equal(found["like"][:, 0], column(ROWS, "like"))
    assert len(model.requests) == 3


def test_retries_are_counted(connect, model):
    model.failures = ["UNAVAILABLE"] * 9
    with pytest.raises(ServingError, match="8500 for gRPC") as caught:
        connect(retries=1).predict(ROWS)
    assert caught.value.code == "UNAVAILABLE"
    assert len(model.requests) == 2


def test_retries_end_at_the_deadline(connect, model):
    model.failures = ["UNAVAILABLE"] * 90
    with pytest.raises(ServingError) as caught:
        connect(retries=80, timeout=0.5).predict(ROWS)
    assert caught.value.code == "UNAVAILABLE"
    # Pauses of 0.1 and 0.2 s; one of 0.4 s would go beyond.
    assert 1 <= len(model.requests) <= 3


def test_a_server_that_does_not_answer(connect, model):
    client = connect(timeout=0.3)
    model.stalled.clear()
    with pytest.raises(ServingError, match="longer `timeout`") as caught:
        client.predict(ROWS)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert len(model.requests) == 1
    model.stalled.set()


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_nobody_is_there(protocol):
    if protocol == "grpc":
        pytest.importorskip("tensorflow_serving")
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets it.
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Client(
            address, NAME, make_schema(), protocol=protocol, retries=1
        ) as client:
            with pytest.raises(ServingError, match=address) as caught:
                client.predict(ROWS)
    assert caught.value.code == "UNAVAILABLE"


def test_the_port_of_the_other_protocol(servers, model):
    if "grpc" not in servers:
        pytest.skip("needs tensorflow-serving-api")
    for protocol, other in (("grpc", "rest"), ("rest", "grpc")):
        address = f"127.0.0.1:{servers[other].port}"
        with Client(
            address, NAME, make_schema(), protocol=protocol, retries=0
        ) as client:
            with pytest.raises(ServingError, match="port of the") as caught:
                client.predict(ROWS)
        assert caught.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert caught.value.text.isprintable()


# ------------------------------------------------------------- connections


def test_a_closed_client(connect, model):
    with connect() as client:
        client.predict(ROWS)
    with pytest.raises(ValueError, match="closed"):
        client.predict(ROWS)
    client.close()
    assert len(model.requests) == 1


@only("rest")
def test_connections_are_used_again(connect, servers, model):
    server = servers["rest"]
    client = connect(retries=0)
    before = server.connections
    for _ in range(3):
        client.predict(ROWS)
    assert server.connections == before + 1
    # One that the server closes meanwhile costs no retry.
    server.closing = True
    client.predict(ROWS)
    server.closing = False
    client.predict(ROWS)
    client.predict(ROWS)
    assert server.connections == before + 2
    assert len(model.requests) == 6


@only("rest")
def test_a_signature_of_one_output(connect, model):
    # The server leaves out its name.
    schema = Schema(make_schema().fields, [Task("click")])
    model.canned = b'{"outputs": [[0.5], [NaN]]}'
    found = connect(schema=schema).predict(ROWS[:2])
    np.testing.assert_array_equal(found["click"], [[0.5], [math.nan]])


@only("rest")
@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"predictions": []}'])
def test_an_answer_of_somebody_else(connect, model, body):
    model.canned = body
    with pytest.raises(ServingError, match="no predictions in") as caught:
        connect().predict(ROWS)
    assert caught.value.code == "INTERNAL"


# --------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "address, options, message",
    [
        ("localhost", {}, "host and a port"),
        ("http://localhost:8501", {}, "host and a port"),
        ("a:1", {"protocol": "gprc"}, "unknown protocol 'gprc'.*'grpc'"),
        ("a:1", {"version": 1, "label": "stable"}, "a version or for a label"),
        ("a:1", {"timeout": 0}, "must be positive"),
        ("a:1", {"timeout": math.nan}, "must be positive"),
        ("a:1", {"retries": -1}, "not negative"),
    ],
)
def test_arguments(address, options, message):
    options = {"protocol": "rest", **options}
    with pytest.raises(ValueError, match=message):
        Client(address, NAME, make_schema(), **options)


def test_without_the_stubs(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ImportError, match=r"keras-infnet\[client\]"):
        Client("a:1", NAME, make_schema())
    Client("a:1", NAME, make_schema(), protocol="rest").close()


def test_rest_needs_neither_grpc_nor_tensorflow():
    code = (
        "import sys\n"
        "from keras_infnet.schema import Categorical, Schema, Task\n"
        "from keras_infnet.serving import Client, ServingError\n"
        "schema = Schema([Categorical('item')], [Task('click')])\n"
        "client = Client('127.0.0.1:1', 'a', schema, protocol='rest',\n"
        "                retries=0)\n"
        "try:\n    client.predict([{'item': 1}])\n"
        "except ServingError as error:\n    print(error.code)\n"
        "print(sorted({'tensorflow', 'grpc'} & sys.modules.keys()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.split("\n")[:2] == ["UNAVAILABLE", "[]"], result.stderr
