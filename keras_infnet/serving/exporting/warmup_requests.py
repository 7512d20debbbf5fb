"""Requests by which a server warms up a version before it serves it."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.sample_rows import (
    example_inputs,
    example_rows,
)
from keras_infnet.serving.graph.signatures import (
    ENCODED,
    EXAMPLES,
    RANK,
    RANK_TOP_K,
    RAW,
    shared_raw_inputs,
)
from keras_infnet.serving.request import raw_request, serialize_examples

__all__ = [
    "MOST_RECORDS",
    "NO_WARMUP",
    "WARMUP_FILE",
    "check_warmup",
    "example_requests",
    "has_messages",
    "resized",
    "write_warmup",
]

#: Where a server looks for them, in the folder of a version.
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
#: With more of them a server refuses the version.
MOST_RECORDS = 1000

#: What the log says without the messages of a server.
NO_WARMUP = (
    "Without warm-up requests: tensorflow-serving-api is not installed. Run: "
    'python -m pip install "keras-infnet[client]".'
)

_LOG = logging.getLogger("keras_infnet")


def example_requests(
    encoder: Encoder | Schema,
) -> dict[str, dict[str, np.ndarray]]:
    """Makes up one request for each signature of an export.

    Args:
        encoder: `keras_infnet.data.Encoder`, or a fitted `Schema` for encoded
            ids alone.

    Returns:
        Dict of signature name to a dict of input name to array. All rows are
        candidates of the first one's request in those for ranking.

    Example:

    >>> from keras_infnet.schema import Numeric, Task
    >>> schema = Schema([Numeric("price", bins=4)], [Task("buy")])
    >>> list(example_requests(schema))
    ['serving_default']
    """
    schema = encoder if isinstance(encoder, Schema) else encoder.schema
    rows = encoded = example_inputs(schema)
    requests = {ENCODED: encoded}
    shared = schema.shared_inputs
    if isinstance(encoder, Encoder):
        table = example_rows(encoder)
        rows = requests[RAW] = raw_request(table, schema)
        shared = shared_raw_inputs(schema)
        examples = np.array(serialize_examples(table, schema), object)
        requests[EXAMPLES] = {"inputs": examples}
    if schema.candidates:
        requests[RANK] = {
            name: array[:1] if name in shared else array
            for name, array in rows.items()
        }
        requests[RANK_TOP_K] = {**requests[RANK], "k": np.array(10, np.int32)}
    return requests


def resized(inputs: Mapping[str, Any], rows: int) -> dict[str, np.ndarray]:
    """Repeats or drops rows of a request.

    Inputs without rows, and those of one row where others have more, which
    all rows share, stay as they are.

    Args:
        inputs: mapping of input name to array.
        rows: integer. Rows wanted.

    Returns:
        Dict of arrays.

    Example:

    >>> request = {"user": np.array([7]), "item": np.array([3, 4])}
    >>> {name: a.tolist() for name, a in resized(request, 3).items()}
    {'user': [7], 'item': [3, 4, 3]}
    """
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    most = max((len(a) for a in arrays.values() if a.ndim), default=0)
    return {
        name: array.take(np.arange(rows) % most, axis=0)
        if array.ndim and len(array) == most
        else array
        for name, array in arrays.items()
    }


def has_messages() -> bool:
    """Tells whether the messages of a server are installed.

    Returns:
        Boolean. Where they are not, the log says what goes without them.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2  # noqa: F401
    except ImportError:
        _LOG.warning(NO_WARMUP)
        return False
    return True


def write_warmup(
    folder: str | os.PathLike[str],
    name: str,
    requests: Mapping[str, Mapping[str, Any]],
    batch_sizes: Sequence[int] = (1, 64),
) -> Path | None:
    """Writes a version's warm-up requests, a `PredictionLog` each.

    A server runs them before a version answers anybody, so that the first
    user does not wait until graphs are optimised and memory is there. It
    refuses a version of which one fails: see `check_warmup`.

    Args:
        folder: path of the version.
        name: string. Name of the model.
        requests: mapping of signature name to a mapping of input name to
            array, at least one row.
        batch_sizes: list of integers. Rows of the records of every signature.
            Defaults to `(1, 64)`.

    Returns:
        Path of the file, or `None` where `tensorflow-serving-api` is not
        installed: there is no file then, and the log says so.

    Raises:
        ValueError: If a batch size is not positive, or there are too many
            records.
    """
    count = len(requests) * len(batch_sizes)
    if count > MOST_RECORDS or any(size < 1 for size in batch_sizes):
        raise ValueError(
            "batch sizes must be positive, and records of a warm-up "
            f"{MOST_RECORDS} at most. Received: batch_sizes={batch_sizes}, "
            f"{count} records."
        )
    if not has_messages():
        return None
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        for signature, inputs in requests.items():
            for size in batch_sizes:
                request = predict_pb2.PredictRequest(
                    model_spec={"name": name, "signature_name": signature}
                )
                for key, array in resized(inputs, size).items():
                    request.inputs[key].CopyFrom(
                        tf.make_tensor_proto(array, shape=array.shape)
                    )
                log = prediction_log_pb2.PredictionLog(
                    predict_log={"request": request}
                )
                writer.write(log.SerializeToString())
    os.replace(temporary, path)
    return path


def check_warmup(folder: str | os.PathLike[str]) -> int:
    """Runs the warm-up requests of a version, as a server does.

    Args:
        folder: path of the version.

    Returns:
        How many there are, 0 without a file.

    Raises:
        ValueError: If one fails.
    """
    path = Path(folder) / WARMUP_FILE
    if not path.exists():
        return 0
    import tensorflow as tf

    tf1 = tf.compat.v1
    requests = list(_requests(path))
    count = 0
    with tf1.Session(graph=tf.Graph()) as session:
        graph = tf1.saved_model.load(session, ["serve"], os.fspath(folder))
        for request in requests:
            name = request.model_spec.signature_name
            try:
                signature = graph.signature_def[name]
                feeds = {}
                for key, tensor in {
                    **signature.defaults,
                    **request.inputs,
                }.items():
                    info = signature.inputs[key]
                    # Python would convert it, a server does not.
                    _check_type(key, tensor.dtype, info.dtype)
                    feeds[info.name] = tf.make_ndarray(tensor)
                session.run(
                    [info.name for info in signature.outputs.values()], feeds
                )
            except (tf.errors.OpError, KeyError, ValueError) as error:
                raise ValueError(
                    f"record {count} of {path}, signature {name!r}, fails, and "
                    f"a server would refuse the version: {error}"
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


def _requests(path: Path) -> Iterator[Any]:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        yield log.predict_log.request
