"""The client against a stand-in for KServe, which reads strict JSON."""

import http.server
import json
import math
import threading

import numpy as np
import pytest
from tiny_served import NAME, ROWS, make_schema

from keras_infnet.serving import Client, ServingError

pytestmark = pytest.mark.serving
ANSWER = b'{"outputs": {"click": [[1], [2], [null]], "like": [[4], [5], [6]]}}'


def refuse(word):
    raise ValueError(f"{word} is no JSON")


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def log_message(self, *_):
            pass

        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = 200, ANSWER
            try:
                request = json.loads(body, parse_constant=refuse)
            except ValueError as error:
                status = 400
                answer = json.dumps({"error": str(error)}).encode()
            else:
                place = (self.path, self.headers["Content-Type"])
                server.requests.append((place, request))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def connect(server, protocol):
    address = f"127.0.0.1:{server.server_port}"
    return Client(address, NAME, make_schema(), protocol=protocol, timeout=10.0)


def test_numbers_that_json_has_not(server):
    rows = [{**ROWS[0], "price": math.inf}, *ROWS[1:]]
    rows[2] = {**rows[2], "price": -math.inf}
    with connect(server, "kserve") as client:
        found = client.predict(rows)
        client.predict([{n: ROWS[0][n] for n in ("user", "city", "item")}] * 3)
    np.testing.assert_array_equal(found["click"], [[1], [2], [math.nan]])
    assert found["click"].dtype == np.float32
    (place, request), (_, few) = server.requests
    assert place == (f"/v1/models/{NAME}:predict", "application/json")
    assert request["signature_name"] == "serve_raw"
    most = float(np.finfo(np.float32).max)
    assert request["inputs"]["price"] == [most, None, -most]
    assert request["inputs"]["user"] == [7, 2**60 + 1, 3]
    assert request["inputs"]["tags"] == [[4, 5], [-1, -1], [6, -1]]
    # A request holds every input, one row of what is missing.
    assert few["inputs"].keys() == make_schema().raw_inputs.keys()
    assert few["inputs"]["price"] == [None]


def test_the_words_of_tensorflow_serving_are_refused(server):
    with connect(server, "rest") as client:
        with pytest.raises(ServingError, match="NaN is no JSON") as caught:
            client.predict(ROWS)
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("options", [{"version": 1}, {"label": "stable"}])
def test_kserve_has_no_versions(options):
    with pytest.raises(ValueError, match="version=1|label='stable'"):
        Client("a:1", NAME, make_schema(), protocol="kserve", **options)
