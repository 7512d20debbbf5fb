"""Runs SavedModels as a server does, where this package does not exist.

`python -I -c SOURCE`, with the text of this file, reads jobs from its standard
input until that ends: a line each, a JSON list of `FOLDER, CASES, RESULTS`.
`CASES` is an `.npz` file of inputs named `{case}/{signature}/{input}`; the
outputs go to `RESULTS` as `{case}/{signature}/{output}`, and what the
signatures declare goes there as JSON text named `signatures`. The graph is run
by `Session.run` on the feeds and fetches that a signature names, after the
initialization that the SavedModel asks for: the steps of TensorFlow Serving.
Inputs that a case leaves out take the default of the signature. Columns of
`serve_examples` are serialized to `tf.train.Example`s. Warm-up requests of the
folder are replayed last.

Every job has a session of its own, with variables and lookup tables of its own:
one SavedModel after another is checked as if each had a fresh process.
"""

import contextlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = [
    "loaded",
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

    Answers `begun` and `done` on standard output, to which nothing else is
    written then. The process ends with its input, with an error, or when it
    has waited for two minutes.
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
    """An import hook that makes one package unknown."""

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


def _describe(signature: Any) -> dict[str, Any]:
    def infos(tensors: Any) -> dict[str, Any]:
        return {
            name: {
                "shape": [dim.size for dim in info.tensor_shape.dim],
                "dtype": info.dtype,
            }
            for name, info in tensors.items()
        }

    return {
        "method": signature.method_name,
        "inputs": infos(signature.inputs),
        "outputs": infos(signature.outputs),
        "defaults": sorted(signature.defaults),
    }


def serialized_examples(columns: Any) -> list[bytes]:
    """Writes rows as serialized `tf.train.Example`s, one a row.

    An array of three axes becomes a flat list and one of lengths, named as it
    with `_lengths` appended.
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


@contextlib.contextmanager
def loaded(folder: str) -> Iterator[tuple[Any, Any]]:
    """Loads a SavedModel; yields its session and its signatures by name."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    with contextlib.closing(tf1.Session(graph=tf.Graph())) as session:
        graph = tf1.saved_model.load(session, ["serve"], folder)
        yield session, graph.signature_def


def run(folder: str, cases_path: str, results_path: str) -> None:
    """Runs all cases of a job, then the warm-up requests."""
    import numpy as np

    with np.load(cases_path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    cases: dict[tuple[str, str], dict[str, Any]] = {}
    for name, array in arrays.items():
        case, signature, column = name.split("/")
        if array.dtype.kind == "U":
            array = array.astype(object)
        cases.setdefault((case, signature), {})[column] = array

    results: dict[str, Any] = {}
    with loaded(folder) as (session, signatures):
        described = {
            name: _describe(signature)
            for name, signature in signatures.items()
            if not name.startswith("__")
        }
        results["signatures"] = np.array(json.dumps(described))
        for (case, name), columns in cases.items():
            for output, array in _call(
                session, signatures[name], name, columns
            ).items():
                if array.dtype.kind == "O":
                    array = array.astype(np.bytes_)  # without pickling
                results[f"{case}/{name}/{output}"] = array
        replay_warmup(session, signatures, folder)
    np.savez(results_path, **results)


def _call(
    session: Any, signature: Any, name: str, columns: dict[str, Any]
) -> dict[str, Any]:
    import numpy as np
    import tensorflow as tf

    if name == _EXAMPLES:
        texts = serialized_examples(columns)
        columns = {"inputs": np.array(texts, object)}
    feeds = {
        signature.inputs[column].name: array
        for column, array in columns.items()
    }
    for column, default in signature.defaults.items():
        if column not in columns:
            feeds[signature.inputs[column].name] = tf.make_ndarray(default)
    fetches = {output: info.name for output, info in signature.outputs.items()}
    return dict(session.run(fetches, feeds))


def replay_warmup(session: Any, signatures: Any, folder: str) -> int:
    """Runs the warm-up requests of a version, as a server does.

    Returns how many there are, 0 without a file. Raises `ValueError` if one
    fails: a server would refuse the version.
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
                f"record {count} of {path}, signature {name!r}, fails, and a "
                f"server would refuse the version: {error}"
            ) from error
        count += 1
    return count


def _check_type(name: str, given: int, wanted: int) -> None:
    from tensorflow.core.framework import types_pb2

    if given != wanted:
        names = types_pb2.DataType.Name
        raise ValueError(
            f"input {name!r} is {names(given)} and not {names(wanted)}"
        )


if __name__ == "__main__":
    _hide_package()
    serve_jobs(run)
