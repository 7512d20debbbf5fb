"""A client of a served model."""

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.data.batching.batch_arrays import input_arrays
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.serving.client.grpc_transport import GrpcTransport
from keras_infnet.serving.client.rest_transport import RestTransport
from keras_infnet.serving.client.serving_error import ServingError
from keras_infnet.serving.exporting.versions import latest_version
from keras_infnet.serving.graph.signatures import (
    ENCODED,
    INDEX,
    RANK,
    RANK_TOP_K,
    RAW,
    SCORE,
    required_inputs,
)
from keras_infnet.serving.request import (
    Rows,
    as_count,
    complete_request,
    ranking_request,
    raw_request,
    rows_to_table,
)

__all__ = ["Client"]

_PROTOCOLS = ("grpc", "rest", "kserve")
_FIRST_PAUSE = 0.1  # seconds, doubled after every retry
_LONGEST_PAUSE = 2.0

Arrays = Mapping[str, np.ndarray]


class Client:
    """Gets predictions from TensorFlow Serving or KServe.

    Rows are checked against the schema before anything is sent. A call that
    finds no server (UNAVAILABLE, 503) is retried after a pause, which doubles,
    within `retries` and `timeout`; every other status raises a `ServingError`
    at once. `timeout` covers a whole method call with its parts, pauses and
    retries.

    A client may be used from several threads. Use it as a context manager, or
    call `close`. Connections are not encrypted: on a network that is not
    private, encrypt them with a proxy on the side of the client.

    Args:
        address: string. Host and port, by default of the servers
            `"localhost:8500"` for gRPC and `"localhost:8501"` for REST.
        name: string. Name of the model.
        schema: `keras_infnet.schema.Schema` of the model, or the path of its
            `schema.json`, of a version, or of `saved_models/NAME` for the
            newest version.
        protocol: `"grpc"`, which needs the extra `client`, `"rest"`, or
            `"kserve"`: REST in strict JSON, in which missing numbers are
            `null`, without versions and labels. Defaults to `"grpc"`.
        version: integer. Version of the model. Defaults to `None`, the newest.
        label: string. Label of the version, such as `"stable"`. Defaults to
            `None`.
        timeout: float. Seconds until a method call fails. Defaults to `5.0`.
        retries: integer. Maximum number of retries. Defaults to `3`.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If gRPC is requested and not installed.
        FileNotFoundError: If there is no schema at the path.

    Example:

    ```python
    with Client("localhost:8500", "news", "saved_models/news") as client:
        client.predict([{"user": 7, "item": 3}])["click"]
        client.rank({"user": 7}, [{"item": 3}, {"item": 4}], top_k=1)["index"]
    ```
    """

    def __init__(
        self,
        address: str,
        name: str,
        schema: Schema | str | os.PathLike[str],
        *,
        protocol: str = "grpc",
        version: int | None = None,
        label: str | None = None,
        timeout: float = 5.0,
        retries: int = 3,
    ) -> None:
        if protocol not in _PROTOCOLS:
            raise ValueError(nearest_name(protocol, _PROTOCOLS, "protocol"))
        if version is not None and label is not None:
            raise ValueError(
                "`version` and `label` cannot both be given. Received: "
                f"version={version}, label={label!r}."
            )
        if not timeout > 0 or retries < 0:
            raise ValueError(
                "`timeout` must be positive, and `retries` at least 0. "
                f"Received: timeout={timeout}, retries={retries}."
            )
        if not re.fullmatch(r"[^/]+:\d+", address):
            raise ValueError(
                "`address` must be a host and a port, such as "
                f"'localhost:8500'. Received: address={address!r}."
            )
        self.address = address
        self.name = name
        self.schema = _schema(schema)
        self.timeout = timeout
        self.retries = retries
        self._transport: GrpcTransport | RestTransport
        if protocol == "grpc":
            self._transport = GrpcTransport(address, name, version, label)
        else:
            task = self.schema.task_names[0]
            single = dict.fromkeys((RAW, ENCODED), task)
            self._transport = RestTransport(
                address, name, version, label, single, protocol == "kserve"
            )
        self._closed = False

    def predict(
        self, rows: Rows, signature: str = RAW, batch_size: int = 1024
    ) -> dict[str, np.ndarray]:
        """Predicts rows.

        Args:
            rows: `keras_infnet.data.Table`, pandas frame, list of dicts, one
                dict for one row, or JSON text of these. Columns that a
                request may omit may be absent; extra ones are ignored. For
                `"serving_default"` a `Table` from `Encoder.encode`.
            signature: `"serve_raw"` or `"serving_default"`. Defaults to
                `"serve_raw"`.
            batch_size: integer. Rows per call. Defaults to `1024`.

        Returns:
            Dict of task name to float32 array of shape `(rows, 1)`. Without
            rows no call is made.

        Raises:
            ValueError: If a column is absent or a value does not fit; nothing
                was sent.
            ServingError: If the server refuses or cannot be reached.
        """
        if signature not in (RAW, ENCODED):
            raise ValueError(
                nearest_name(signature, (RAW, ENCODED), "signature")
                + " Use `rank` for candidates and `call` for arrays."
            )
        batch_size, schema = as_count("batch_size", batch_size), self.schema
        required = required_inputs(schema) if signature == RAW else ()
        table = rows_to_table(rows, required)
        if not len(table):
            return {t: np.empty((0, 1), np.float32) for t in schema.task_names}
        parts = []
        for start in range(0, len(table), batch_size):
            part = table.slice(start, start + batch_size)
            if signature == ENCODED:
                parts.append(input_arrays(schema, part))
            else:
                # Over REST a server requires every input.
                inputs = raw_request(part, schema)
                parts.append(complete_request(inputs, schema))
        return _joined(self._call_all(signature, parts), schema.task_names)

    def rank(
        self,
        request: Rows,
        candidates: Rows,
        top_k: int | None = None,
        max_candidates: int = 1000,
    ) -> dict[str, np.ndarray]:
        """Scores the candidates of one request.

        What they share, such as a history, is sent once per call. More
        candidates than `max_candidates` take several calls, one after the
        other, all answered by one version (REST does not report it: pass a
        `version` to be sure).

        Args:
            request: one row of the columns that all candidates share, in any
                form that `predict` takes.
            candidates: rows of the fields that `schema.candidates` names.
            top_k: integer. Number of candidates to return, best first.
                Defaults to `None`, all in their order.
            max_candidates: integer. Candidates per call. Defaults to `1000`.

        Returns:
            Dict of task name and `"score"` to float32 array of shape
            `(candidates,)`. With `top_k` at most that many, and `"index"`,
            their positions in `candidates`. Without candidates no call is
            made.

        Raises:
            ValueError: If the schema names no candidates, a column is absent
                or a value does not fit; nothing was sent.
            ServingError: If the server refuses or cannot be reached.
        """
        size = as_count("max_candidates", max_candidates)
        if top_k is not None:
            top_k = as_count("top_k", top_k)
        names = [*self.schema.task_names, SCORE]
        inputs, count = ranking_request(request, candidates, self.schema)
        if not count:
            empty = {name: np.empty(0, np.float32) for name in names}
            if top_k is not None:
                empty[INDEX] = np.empty(0, np.int64)
            return empty
        starts = range(0, count, size)
        offered = self.schema.candidates
        parts = [
            {
                name: array[start : start + size]
                if name in offered and len(array) == count
                else array
                for name, array in inputs.items()
            }
            for start in starts
        ]
        if top_k is None:
            return _joined(self._call_all(RANK, parts), names)
        for part in parts:
            part["k"] = np.array(min(top_k, size), np.int32)
        answers = self._call_all(RANK_TOP_K, parts)
        return _merged_top_k(answers, names, starts, top_k)

    def call(
        self, inputs: Mapping[str, Any], signature: str
    ) -> dict[str, np.ndarray]:
        """Calls any signature with arrays, which are sent unchanged.

        Use it for `serve_examples`, with the result of `serialize_examples`.

        Args:
            inputs: mapping of input name to array.
            signature: string. Name of the signature.

        Returns:
            Dict of output name to array. Text is bytes over gRPC and strings
            over REST.

        Raises:
            ValueError: If text cannot be encoded as UTF-8.
            ServingError: If the server refuses or cannot be reached.
        """
        arrays = {name: np.asarray(value) for name, value in inputs.items()}
        for name, array in arrays.items():
            if array.dtype.kind in "SU":
                # Such arrays drop zeros at the end.
                arrays[name] = np.array(inputs[name], object)
        return self._call_all(signature, [arrays])[0]

    def close(self) -> None:
        """Closes connections. May be called again."""
        self._closed = True
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.address!r}, {self.name!r}, {self.schema!r})"

    def _call_all(
        self, signature: str, parts: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        """Returns the outputs of all parts, computed by one version."""
        for part in parts:
            _check_text(part)
        end = time.monotonic() + self.timeout
        for _ in range(2):
            answers = [self._call(signature, part, end) for part in parts]
            if len({version for _, version in answers}) == 1:
                return [outputs for outputs, _ in answers]
        raise self._error(
            "ABORTED", "the version changed between parts of a call, twice"
        )

    def _call(
        self, signature: str, inputs: Arrays, end: float
    ) -> tuple[dict[str, np.ndarray], int | None]:
        retry = 0
        while True:
            if self._closed:
                raise ValueError("the client is closed. Make a new one.")
            left = end - time.monotonic()
            if left <= 0:
                raise self._error(
                    "DEADLINE_EXCEEDED", f"no answer within {self.timeout:g} s"
                )
            try:
                return self._transport.predict(signature, inputs, left)
            except ServingError as error:
                pause = min(_FIRST_PAUSE * 2**retry, _LONGEST_PAUSE)
                if (
                    error.code != "UNAVAILABLE"
                    or retry == self.retries
                    or time.monotonic() + pause >= end
                ):
                    raise
            time.sleep(pause)
            retry += 1

    def _error(self, code: str, text: str) -> ServingError:
        return ServingError(code, text, f"{self.name} at {self.address}")


def _schema(schema: Schema | str | os.PathLike[str]) -> Schema:
    if isinstance(schema, Schema):
        return schema
    path = Path(schema)
    if path.is_dir():
        if not (path / "schema.json").exists():
            path = latest_version(path)
        path = path / "schema.json"
    return Schema.load(path)


def _check_text(inputs: Arrays) -> None:
    for name, array in inputs.items():
        if array.dtype.kind != "O":
            continue
        for value in array.ravel():
            try:
                if isinstance(value, str):
                    value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"input {name!r}: {value!r} cannot be encoded as UTF-8: "
                    f"{error}."
                ) from error


def _joined(
    answers: Iterable[Arrays], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Concatenates the answers to several parts."""
    return {
        name: np.concatenate(
            [np.asarray(answer[name], np.float32) for answer in answers]
        )
        for name in names
    }


def _merged_top_k(
    answers: Sequence[Arrays],
    names: Sequence[str],
    starts: Iterable[int],
    top_k: int,
) -> dict[str, np.ndarray]:
    """Returns the best candidates of all parts, given the best of each.

    `starts` are the positions of the parts in the list of candidates. Ties
    keep their order in that list.
    """
    places = np.concatenate(
        [
            np.asarray(answer[INDEX], np.int64) + start
            for answer, start in zip(answers, starts, strict=True)
        ]
    )
    outputs = _joined(answers, names)
    # NaN goes last.
    order = np.lexsort((places, -outputs[SCORE]))[:top_k]
    best = {name: values[order] for name, values in outputs.items()}
    return {**best, INDEX: places[order]}
