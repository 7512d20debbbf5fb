"""What fails, and what the client does then."""

import math
import socket
import subprocess
import sys

import numpy as np
import pytest
from other_processes import environment_of
from tiny_served import NAME, ROWS, column, make_schema

from keras_infnet.schema import Schema, Task
from keras_infnet.serving import Client, ServingError

pytestmark = pytest.mark.serving


def only(protocol):
    return pytest.mark.parametrize("connect", [protocol], indirect=True)


# -------------------------------------------------------------------- statuses


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
    with pytest.raises(ServingError, match="`timeout`") as caught:
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


# ----------------------------------------------------------------- connections


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
    with pytest.raises(ServingError, match="html|\\[\\]") as caught:
        connect().predict(ROWS)
    assert caught.value.code == "INTERNAL"


# ------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "address, options, message",
    [
        ("localhost", {}, "`address`"),
        ("http://localhost:8501", {}, "`address`"),
        ("a:1", {"protocol": "gprc"}, "'gprc'.*'grpc'"),
        ("a:1", {"version": 1, "label": "stable"}, "version|label"),
        ("a:1", {"timeout": 0}, "timeout=(0|nan)"),
        ("a:1", {"timeout": math.nan}, "timeout=(0|nan)"),
        ("a:1", {"retries": -1}, "retries=-1"),
    ],
)
def test_arguments(address, options, message):
    options = {"protocol": "rest", **options}
    with pytest.raises(ValueError, match=message):
        Client(address, NAME, make_schema(), **options)


def test_without_the_stubs(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ImportError, match=r"\[client\]"):
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
        env=environment_of("jax"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.split("\n")[:2] == ["UNAVAILABLE", "[]"], result.stderr
