"""Requests by which a server warms up a version before it serves it."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.run_saved_model import WARMUP_FILE
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
    "example_requests",
    "resized",
    "write_warmup",
]

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
    """Makes up one request for each signature of an export, by its name.

    All rows are candidates of the first one's request in those for ranking.

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


def write_warmup(
    folder: str | os.PathLike[str],
    name: str,
    requests: Mapping[str, Mapping[str, Any]],
    batch_sizes: Sequence[int] = (1, 64),
) -> Path | None:
    """Writes a version's warm-up requests, a `PredictionLog` each.

    A server runs them before a version answers anybody, so that the first
    user does not wait until graphs are optimized and memory is there. It
    refuses a version of which one fails, and so does `export`.
    Returns `None` where `tensorflow-serving-api` is not installed, and logs it.
    """
    count = len(requests) * len(batch_sizes)
    if count > MOST_RECORDS or any(size < 1 for size in batch_sizes):
        raise ValueError(
            "batch sizes must be positive, and records of a warm-up "
            f"{MOST_RECORDS} at most. Received: batch_sizes={batch_sizes}, "
            f"{count} records."
        )
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        _LOG.warning(NO_WARMUP)
        return None
    import tensorflow as tf

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
