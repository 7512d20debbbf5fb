"""Requests that a server runs to warm up a version before serving it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.run_export import WARMUP_FILE
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
from keras_infnet.utils.atomic_files import replacing

__all__ = ["check_warmup_rows", "example_requests", "resized", "write_warmup"]

#: A server refuses a version with more warm-up requests.
_MAX_RECORDS = 1000
_MAX_SIGNATURES = 5


def check_warmup_rows(warmup_rows: Sequence[int]) -> None:
    """Raises `ValueError` unless a server takes requests of these sizes."""
    most = _MAX_RECORDS // _MAX_SIGNATURES
    if len(warmup_rows) > most or any(
        isinstance(rows, bool)
        or not isinstance(rows, (int, np.integer))
        or rows < 1
        for rows in warmup_rows
    ):
        raise ValueError(
            f"`warmup_rows` must be positive integers, at most {most}. "
            f"Received: warmup_rows={warmup_rows}."
        )


def example_requests(
    encoder: Encoder | Schema,
) -> dict[str, dict[str, np.ndarray]]:
    """Draws one request for each signature of an export, by its name.

    For ranking, all rows are candidates of the request in the first row.

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

    Scalars are unchanged, as are inputs of one row if others have more.

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
    """Writes the warm-up requests of a version, one `PredictionLog` each.

    A server runs them before it serves the version, so that the first request
    does not wait while graphs are optimized and memory is allocated. It refuses
    a version if one of them fails. Returns `None`, and writes nothing, if
    `tensorflow-serving-api` is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return None
    import tensorflow as tf

    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with (
        replacing(path) as temporary,
        tf.io.TFRecordWriter(temporary) as writer,
    ):
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
    return path
