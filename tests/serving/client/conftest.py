"""Stand-ins for TensorFlow Serving, and clients of them."""

import importlib.util

import pytest
from stand_ins import GrpcStandIn, RestStandIn, ServedModel
from tiny_served import NAME, make_schema, save

from keras_infnet.serving import Client


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
