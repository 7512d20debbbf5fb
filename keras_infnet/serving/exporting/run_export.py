"""Runs exported models where this package cannot be imported.

`python -I -c SOURCE`, with the text of this file, reads jobs from standard
input: JSON lists `PATH, CASES, RESULTS`. `CASES` is an `.npz` file of inputs
named `{case}/{signature}/{input}`; outputs go to `RESULTS` as
`{case}/{signature}/{output}`, beside a JSON text named `report`.

A SavedModel is run as by TensorFlow Serving: `Session.run` on the feeds and
fetches that a signature names, after the initialization that the SavedModel
asks for, in a separate session. Inputs that a case omits take the default of
the signature, columns of `serve_examples` are serialized to
`tf.train.Example`s, and warm-up requests are replayed last. The report
describes the signatures.

A file is run by ONNX Runtime or LiteRT; the report holds their `problem`.
"""

import contextlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "loaded",
    "model_function",
    "replay_warmup",
    "run",
    "serialized_examples",
    "serve_jobs",
]

#: Where a server looks for warm-up requests in the folder of a version.
WARMUP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")

_PACKAGE = "keras_infnet"
_EXAMPLES = "serve_examples"
_IDLE_SECONDS = 120.0


def serve_jobs(handle: Callable[..., object]) -> None:
    """Calls `handle` with each JSON list that arrives on standard input.

    Answers `begun` and `done` on standard output; other output goes to
    standard error. The process ends when its input closes, on an error, or
    after two minutes without a job.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    while True:
        idle = threading.Timer(_IDLE_SECONDS, os._exit, [0])
        idle.daemon = True
        idle.start()
        line = sys.stdin.readline()
        idle.cancel()
        if not line:
            return
        print("begun", file=answers, flush=True)
        handle(*json.loads(line))
        print("done", file=answers, flush=True)


class _Hidden:
    """An import hook that hides this package."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] == _PACKAGE:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)
        return None


def _hide_package() -> None:
    if _PACKAGE in sys.modules:
        raise RuntimeError(f"{_PACKAGE} is loaded already.")
    sys.meta_path.insert(0, _Hidden())
    try:
        importlib.util.find_spec(_PACKAGE)
    except ModuleNotFoundError:
        return
    raise RuntimeError(f"{_PACKAGE} can still be imported.")


def run(path: str, cases_path: str, results_path: str) -> None:
    """Runs all cases of a job."""
    import numpy as np

    cases: dict[tuple[str, str], dict[str, Any]] = {}
    with np.load(cases_path, allow_pickle=False) as file:
        for name in file.files:
            case, signature, column = name.split("/")
            array = file[name]
            if array.dtype.kind == "U":
                array = array.astype(object)
            cases.setdefault((case, signature), {})[column] = array
    run_all = _run_saved_model if os.path.isdir(path) else _run_file
    report, outputs = run_all(path, cases)
    results: dict[str, Any] = {"report": np.array(json.dumps(report))}
    for (case, signature), arrays in outputs.items():
        for name, array in arrays.items():
            if array.dtype.kind == "O":
                array = array.astype(np.bytes_)  # without pickling
            results[f"{case}/{signature}/{name}"] = array
    np.savez(results_path, **results)


def _run_file(path: str, cases: Mapping[Any, Any]) -> tuple[Any, Any]:
    try:
        function = model_function(path)
        outputs = {key: function(inputs) for key, inputs in cases.items()}
    except Exception as error:
        # The runtimes raise errors of many classes.
        return {"problem": f"{type(error).__name__}: {error}"}, {}
    return {}, outputs


def model_function(path: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Loads a file as a function of inputs by name to outputs by name."""
    if path.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def run(inputs: Mapping[str, Any]) -> dict[str, Any]:
            # A model need not use all of its inputs.
            used = {i.name: inputs[i.name] for i in session.get_inputs()}
            return dict(zip(names, session.run(None, used), strict=True))

        return run
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner()
    used = runner.get_input_details()
    return lambda inputs: runner(**{name: inputs[name] for name in used})


@contextlib.contextmanager
def loaded(folder: str) -> Iterator[tuple[Any, Any]]:
    """Loads a SavedModel; yields its session and its signatures by name."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    with contextlib.closing(tf1.Session(graph=tf.Graph())) as session:
        graph = tf1.saved_model.load(session, ["serve"], folder)
        yield session, graph.signature_def


def _run_saved_model(folder: str, cases: Mapping[Any, Any]) -> tuple[Any, Any]:
    import numpy as np
    import tensorflow as tf

    outputs = {}
    with loaded(folder) as (session, signatures):
        report = {
            name: _describe(signature)
            for name, signature in signatures.items()
            if not name.startswith("__")
        }
        for (case, name), columns in cases.items():
            signature = signatures[name]
            if name == _EXAMPLES:
                texts = serialized_examples(columns)
                columns = {"inputs": np.array(texts, object)}
            defaults = {
                key: tf.make_ndarray(tensor)
                for key, tensor in signature.defaults.items()
            }
            feeds = {
                signature.inputs[key].name: array
                for key, array in {**defaults, **columns}.items()
            }
            fetches = {n: info.name for n, info in signature.outputs.items()}
            outputs[case, name] = session.run(fetches, feeds)
        replay_warmup(session, signatures, folder)
    return report, outputs


def _describe(signature: Any) -> dict[str, Any]:
    def shapes(tensors: Any) -> dict[str, list[int]]:
        return {
            name: [axis.size for axis in info.tensor_shape.dim]
            for name, info in tensors.items()
        }

    return {
        "method": signature.method_name,
        "inputs": shapes(signature.inputs),
        "outputs": shapes(signature.outputs),
        "defaults": sorted(signature.defaults),
    }


def serialized_examples(columns: Any) -> list[bytes]:
    """Writes rows as serialized `tf.train.Example`s.

    An array of three axes becomes a flat list and, with `_lengths` appended to
    its name, the list of its lengths.
    """
    import numpy as np
    import tensorflow as tf

    def feature(values: Any) -> Any:
        flat = np.ravel(values)
        if flat.dtype.kind in "OUS":
            texts = [t if isinstance(t, bytes) else t.encode() for t in flat]
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))
        if flat.dtype.kind == "f":
            return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))

    examples = []
    for row in range(len(next(iter(columns.values())))):
        features = {}
        for name, array in columns.items():
            features[name] = feature(array[row])
            if array.ndim == 3:
                outer, inner = array.shape[1:]
                lengths = np.full(outer, inner, np.int64)
                features[f"{name}_lengths"] = feature(lengths)
        example = tf.train.Example(features=tf.train.Features(feature=features))
        examples.append(example.SerializeToString())
    return examples


def replay_warmup(session: Any, signatures: Any, folder: str) -> int:
    """Runs the warm-up requests of a version, as a server does.

    Returns the number of requests, 0 without a file. Raises `ValueError` if
    one fails, since a server would refuse the version.
    """
    path = os.path.join(folder, WARMUP_FILE)
    if not os.path.exists(path):
        return 0
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        name = request.model_spec.signature_name
        try:
            signature = signatures[name]
            feeds = {}
            for key, tensor in {**signature.defaults, **request.inputs}.items():
                info = signature.inputs[key]
                # Python would convert it, a server does not.
                _check_type(key, tensor.dtype, info.dtype)
                feeds[info.name] = tf.make_ndarray(tensor)
            session.run(
                [info.name for info in signature.outputs.values()], feeds
            )
        except (tf.errors.OpError, KeyError, ValueError) as error:
            raise ValueError(
                f"record {count} of {path}, signature {name!r}, fails, so that "
                f"a server would refuse the version: {error}"
            ) from error
        count += 1
    return count


def _check_type(name: str, given: int, wanted: int) -> None:
    from tensorflow.core.framework import types_pb2

    if given != wanted:
        names = types_pb2.DataType.Name
        raise ValueError(
            f"input {name!r} must be {names(wanted)}. Received: {names(given)}"
        )


if __name__ == "__main__":
    _hide_package()
    serve_jobs(run)
