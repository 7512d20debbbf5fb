"""Stand-ins for TensorFlow Serving, which no registry has.

They run a SavedModel behind the official gRPC stubs, and behind HTTP in the
formats of the REST interface, and refuse what the server refuses, with its
statuses. They show that the client speaks the protocols; they are no proof
about the server.
"""

import base64
import concurrent.futures
import http.server
import json
import re
import threading

import numpy as np

LONGEST = 10  # seconds that a stalled answer waits at most


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class ServedModel:
    """Versions of one model, and what tests want to go wrong."""

    def __init__(self, name, directory, versions):
        import tensorflow as tf

        self.name = name
        self.loaded = {}
        for version in versions:
            session = tf.compat.v1.Session(graph=tf.Graph())
            with session.graph.as_default():
                graph = tf.compat.v1.saved_model.load(
                    session, ["serve"], str(directory / str(version))
                )
            self.loaded[version] = session, graph.signature_def
        self.reset()

    def reset(self):
        self.labels = {}
        self.requests = []  # signature and rows of each call
        self.failures = []  # codes of the next calls
        self.newest = []  # versions that unlabelled calls get, then the last
        self.canned = None  # body of the next answers over REST
        self.stalled = threading.Event()
        self.stalled.set()

    def run(self, name, version, label, signature_name, read):
        """Answers a call; `read` makes arrays of the declared inputs."""
        import tensorflow as tf

        self.requests.append(signature_name)
        assert len(self.requests) < 100
        assert self.stalled.wait(LONGEST)
        if self.failures:
            code = self.failures.pop(0)
            raise Refused(code, f"it's {code}")
        version = self._version(name, version, label)
        session, signatures = self.loaded[version]
        if signature_name not in signatures:
            raise Refused(
                "FAILED_PRECONDITION",
                f'Serving signature key "{signature_name}" not found.',
            )
        signature = signatures[signature_name]
        inputs = read(signature)
        wanted, given = set(signature.inputs), set(inputs)
        if given - wanted or wanted - given - set(signature.defaults):
            raise Refused(
                "INVALID_ARGUMENT",
                "input size does not match signature. Missing but required: "
                f"{sorted(wanted - given)}. Sent extra: "
                f"{sorted(given - wanted)}.",
            )
        feeds = {}
        for key, info in signature.inputs.items():
            array = inputs.get(key)
            if array is None:
                array = tf.make_ndarray(signature.defaults[key])
            if tf.as_dtype(array.dtype).as_datatype_enum != info.dtype:
                raise Refused("INVALID_ARGUMENT", f"Expected type of {key}")
            if array.ndim != len(info.tensor_shape.dim):
                raise Refused("INVALID_ARGUMENT", f"Expected shape of {key}")
            feeds[info.name] = array
        fetches = {key: info.name for key, info in signature.outputs.items()}
        try:
            return session.run(fetches, feeds), version
        except tf.errors.InvalidArgumentError as error:
            raise Refused("INVALID_ARGUMENT", error.message) from error

    def _version(self, name, version, label):
        if name != self.name:
            text = f"Servable not found for request: Latest({name})"
            raise Refused("NOT_FOUND", text)
        if label:
            if label not in self.labels:
                text = f"Unrecognized servable version label: {label}"
                raise Refused("INVALID_ARGUMENT", text)
            return self.labels[label]
        if version:
            if version not in self.loaded:
                text = f"Servable not found for request: {name}, {version}"
                raise Refused("NOT_FOUND", text)
            return version
        if self.newest:
            few = len(self.newest) == 1
            return self.newest[0] if few else self.newest.pop(0)
        return max(self.loaded)


class GrpcStandIn:
    def __init__(self, model):
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import (
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
            def Predict(self, request, context):  # noqa: N802
                spec = request.model_spec
                try:
                    outputs, version = model.run(
                        spec.name,
                        spec.version.value,
                        spec.version_label,
                        spec.signature_name,
                        lambda _: {
                            key: tf.make_ndarray(tensor)
                            for key, tensor in request.inputs.items()
                        },
                    )
                except Refused as refused:
                    context.abort(grpc.StatusCode[refused.code], str(refused))
                response = predict_pb2.PredictResponse()
                response.model_spec.version.value = version
                for key, array in outputs.items():
                    tensor = tf.make_tensor_proto(array)
                    response.outputs[key].CopyFrom(tensor)
                return response

        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            Service(), self.server
        )
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def stop(self):
        self.server.stop(0).wait(LONGEST)


HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:predict"
)


class RestStandIn:
    def __init__(self, model):
        outer = self
        self.connections = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = LONGEST
            disable_nagle_algorithm = True

            def setup(self):
                outer.connections += 1
                super().setup()

            def log_message(self, *_):
                pass

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, answer = 200, model.canned or respond(body, self)
                except Refused as refused:
                    status = HTTP[refused.code]
                    # As C escapes, and JSON does not.
                    text = str(refused).replace('"', '\\"').replace("'", "\\'")
                    text = text.replace("\n", "\\n")
                    answer = b'{ "error": "%b" }' % text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                if outer.closing:
                    # Without a word, as a server does with what is idle.
                    self.close_connection = True
                self.end_headers()
                try:
                    self.wfile.write(answer)
                except OSError:  # the client has given up
                    self.close_connection = True

        def respond(body, handler):
            found = PATH.fullmatch(handler.path)
            if not found:
                text = f"Malformed request: POST {handler.path}"
                raise Refused("INVALID_ARGUMENT", text)
            name, version, label = found.groups()
            request = json.loads(body)
            outputs, _ = model.run(
                name,
                int(version or 0),
                label,
                request.get("signature_name", "serving_default"),
                lambda signature: arrays(request, signature),
            )
            return in_json(outputs)

        self.closing = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(LONGEST)


def arrays(request, signature):
    """Reads the columns of `inputs`."""
    columns = request["inputs"]
    for name in signature.inputs:
        if name not in columns:
            raise Refused(
                "INVALID_ARGUMENT",
                f"Missing named input: {name} in 'inputs' object.",
            )
    return {
        name: tensor(columns[name], signature.inputs[name].dtype, name)
        for name in signature.inputs
    }


def tensor(values, dtype, name):
    import tensorflow as tf

    kind = tf.as_dtype(dtype).as_numpy_dtype
    wanted = {tf.string: bytes, tf.float32: (int, float), tf.bool: bool}
    leaf = wanted.get(tf.as_dtype(dtype), int)

    def read(value):
        if isinstance(value, list):
            return [read(item) for item in value]
        if isinstance(value, str):
            value = value.encode()
        elif isinstance(value, dict):
            value = base64.b64decode(value["b64"])
        if not isinstance(value, leaf) or isinstance(value, bool) != (
            leaf is bool
        ):
            text = f"JSON Value: {value} of {name} is not of expected type"
            raise Refused("INVALID_ARGUMENT", text)
        return value

    try:
        return np.array(read(values), kind)
    except ValueError as error:  # lists of unequal length
        raise Refused("INVALID_ARGUMENT", f"unexpected size: {error}") from None


def in_json(outputs):
    answer = {name: array.tolist() for name, array in outputs.items()}
    if len(answer) == 1:
        (answer,) = answer.values()
    return json.dumps({"outputs": answer}, default=bytes.decode).encode()
