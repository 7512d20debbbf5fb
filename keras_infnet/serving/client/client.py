"""A served model, called over the network."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
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
    as_arrays,
    check_text,
    complete_request,
    ranking_request,
    raw_request,
    rows_to_table,
)
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["Client"]

_PROTOCOLS = ("grpc", "rest", "kserve")
_FIRST_PAUSE = 0.1  # seconds, doubled with every retry
_LONGEST_PAUSE = 2.0

Answer = tuple[dict[str, np.ndarray], int | None]


class Client:
    """Asks TensorFlow Serving, or KServe, for predictions.

    Rows are checked against the schema before anything is sent. A call that
    finds no server (UNAVAILABLE, 503) is repeated after a pause, which
    doubles, as long as `retries` and `timeout` allow; every other status
    fails at once with a `ServingError`. `timeout` is that of a whole call of
    a method, with its parts, pauses and repetitions.

    A client may be used from several threads. Use it as a context manager, or
    call `close`. Connections are not encrypted: where the network is not
    your own, put a proxy beside the client that does it.

    Args:
        address: string. Host and port, `"localhost:8500"` for gRPC and
            `"localhost:8501"` for REST where the server has its defaults.
        name: string. Name of the model.
        schema: `keras_infnet.schema.Schema` of the model, or the path of its
            `schema.json`, of a version, or of `saved_models/NAME` for the
            newest version.
        protocol: `"grpc"`, which needs the extra `client`, `"rest"`, or
            `"kserve"`, which is REST without versions and labels, in strict
            JSON: numbers that are missing are `null`. Defaults to `"grpc"`.
        version: integer. Version to ask. Defaults to `None`, the newest.
        label: string. Label of the version to ask, such as `"stable"`.
            Defaults to `None`.
        timeout: float. Seconds until a call of a method fails. Defaults to
            `5.0`.
        retries: integer. Most repetitions of a call. Defaults to `3`.

    Raises:
        ValueError: If an argument is not one of those.
        ImportError: If gRPC is asked for and not installed.
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
                "a client asks for a version or for a label. Received: "
                f"version={version}, label={label!r}."
            )
        if not timeout > 0 or retries < 0:
            raise ValueError(
                "`timeout` must be positive, and `retries` not negative. "
                f"Received: timeout={timeout}, retries={retries}."
            )
        if not re.fullmatch(r"[^/]+:\d+", address):
            raise ValueError(
                "`address` must be a host and a port, as in "
                f"'localhost:8500'. Received: {address!r}."
            )
        self.address = address
        self.name = name
        self.schema = _schema(schema)
        self.timeout = timeout
        self.retries = retries
        self._transport: GrpcTransport | RestTransport
        self._complete = protocol != "grpc"
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
                request may leave out may be absent, further ones are ignored.
                For `"serving_default"` a `Table` as `Encoder.encode` makes
                it.
            signature: `"serve_raw"` or `"serving_default"`. Defaults to
                `"serve_raw"`.
            batch_size: integer. Rows of one call. Defaults to `1024`.

        Returns:
            Dict of task name to float32 array of shape `(rows, 1)`. No rows
            need no call.

        Raises:
            ValueError: If a column is absent or a value does not fit; nothing
                was sent.
            ServingError: If the server refuses or is not there.
        """
        if signature not in (RAW, ENCODED):
            raise ValueError(
                nearest_name(signature, (RAW, ENCODED), "signature")
                + " Use `rank` for candidates and `call` for arrays."
            )
        batch_size = _plain(batch_size)
        check_positive(batch_size=batch_size)
        if signature == RAW:
            table = rows_to_table(rows, required_inputs(self.schema))
        else:
            table = rows_to_table(rows)
        if not len(table):
            return {t: np.empty((0, 1), np.float32) for t in self._tasks}
        starts = range(0, len(table), batch_size)
        parts = [
            self._inputs(table.slice(s, s + batch_size), signature)
            for s in starts
        ]
        answers = self._together(signature, parts)
        return {task: _joined(answers, task) for task in self._tasks}

    def rank(
        self,
        request: Rows,
        candidates: Rows,
        top_k: int | None = None,
        max_candidates: int = 1000,
    ) -> dict[str, np.ndarray]:
        """Scores the candidates of one request.

        What they share, such as a history, is sent once a call. More
        candidates than `max_candidates` take several calls, one after the
        other, all answered by one version (over REST, which does not tell,
        name a `version` to be sure).

        Args:
            request: one row of the columns that all candidates share, in any
                form that `predict` takes.
            candidates: rows of the fields that `schema.candidates` names.
            top_k: integer. Return the best so many, best first. Defaults to
                `None`, all in their order.
            max_candidates: integer. Candidates of one call. Defaults to
                `1000`.

        Returns:
            Dict of task name and `"score"` to float32 array of shape
            `(candidates,)`. With `top_k` as many as there are at most, and
            `"index"`, integers: where each stands in `candidates`. No
            candidates need no call.

        Raises:
            ValueError: If the schema names no candidates, a column is absent
                or a value does not fit; nothing was sent.
            ServingError: If the server refuses or is not there.
        """
        max_candidates = _plain(max_candidates)
        check_positive(max_candidates=max_candidates)
        if top_k is not None:
            top_k = _plain(top_k)
            check_positive(top_k=top_k)
        names = [*self._tasks, SCORE]
        shared, own, count = ranking_request(request, candidates, self.schema)
        if not count:
            if top_k is not None:
                names.append(INDEX)
            kinds = {INDEX: np.int64}
            return {n: np.empty(0, kinds.get(n, np.float32)) for n in names}
        if self._complete:
            inputs = complete_request({**shared, **own}, self.schema)
            own = {n: a for n, a in inputs.items() if n not in shared}
        starts = range(0, count, max_candidates)
        parts: list[dict[str, Any]] = [
            {**shared, **_rows_of(own, s, max_candidates)} for s in starts
        ]
        if top_k is None:
            answers = self._together(RANK, parts)
            return {name: _joined(answers, name) for name in names}
        for part in parts:
            part["k"] = np.int32(min(top_k, max_candidates))
        answers = self._together(RANK_TOP_K, parts)
        return _merged_top_k(answers, names, list(starts), top_k)

    def call(
        self, inputs: Mapping[str, Any], signature: str
    ) -> dict[str, np.ndarray]:
        """Calls any signature with arrays, which are sent as they are.

        So `serve_examples` is called, with what `serialize_examples` makes.

        Args:
            inputs: mapping of input name to array.
            signature: string. Name of the signature.

        Returns:
            Dict of output name to array. Text comes as bytes over gRPC and
            as strings over REST.

        Raises:
            ValueError: If text cannot be sent.
            ServingError: If the server refuses or is not there.
        """
        return self._together(signature, [as_arrays(inputs)])[0]

    def close(self) -> None:
        """Closes connections. May be called again."""
        self._closed = True
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.address!r}, {self.name!r}, {self.schema!r})"

    @property
    def _tasks(self) -> tuple[str, ...]:
        return self.schema.task_names

    def _inputs(self, rows: Any, signature: str) -> dict[str, np.ndarray]:
        if signature == ENCODED:
            return input_arrays(self.schema, rows)
        inputs = raw_request(rows, self.schema)
        # Over REST a server wants every input.
        return (
            complete_request(inputs, self.schema) if self._complete else inputs
        )

    def _together(
        self, signature: str, parts: list[dict[str, Any]]
    ) -> list[dict[str, np.ndarray]]:
        """Outputs of all parts, of one version."""
        for part in parts:
            check_text(part)
        end = time.monotonic() + self.timeout
        for _ in range(2):
            answers = [self._call(signature, part, end) for part in parts]
            if len({version for _, version in answers}) == 1:
                return [outputs for outputs, _ in answers]
        raise ServingError(
            "ABORTED",
            "the server went to another version between parts of a call, twice",
            f"{self.name} at {self.address}",
        )

    def _call(
        self, signature: str, inputs: Mapping[str, Any], end: float
    ) -> Answer:
        pauses = self._pauses()
        while True:
            if self._closed:
                raise ValueError("the client is closed. Make a new one.")
            left = end - time.monotonic()
            if left <= 0:
                raise ServingError(
                    "DEADLINE_EXCEEDED",
                    f"no answer within {self.timeout:g} s",
                    f"{self.name} at {self.address}",
                )
            try:
                return self._transport.predict(signature, inputs, left)
            except ServingError as error:
                pause = next(pauses, None)
                if error.code != "UNAVAILABLE" or pause is None:
                    raise
                if time.monotonic() + pause >= end:
                    raise
                time.sleep(pause)

    def _pauses(self) -> Iterator[float]:
        for retry in range(self.retries):
            yield min(_FIRST_PAUSE * 2**retry, _LONGEST_PAUSE)


def _schema(schema: Schema | str | os.PathLike[str]) -> Schema:
    if isinstance(schema, Schema):
        return schema
    path = Path(schema)
    if path.is_dir():
        if not (path / "schema.json").exists():
            path = latest_version(path)
        path = path / "schema.json"
    return Schema.load(path)


def _plain(value: Any) -> Any:
    # NumPy's integers are integers too.
    return int(value) if isinstance(value, np.integer) else value


def _rows_of(
    inputs: Mapping[str, np.ndarray], start: int, count: int
) -> dict[str, np.ndarray]:
    """Some rows of all inputs, but for those of one row, which are for all."""
    rows = max(len(array) for array in inputs.values())
    return {
        name: array[start : start + count] if len(array) == rows else array
        for name, array in inputs.items()
    }


def _joined(answers: Sequence[Mapping[str, np.ndarray]], name: str) -> Any:
    """Puts the rows of the answers to several parts one behind the other."""
    return np.concatenate([np.asarray(a[name], np.float32) for a in answers])


def _merged_top_k(
    answers: Sequence[Mapping[str, np.ndarray]],
    names: Sequence[str],
    starts: Sequence[int],
    top_k: int,
) -> dict[str, np.ndarray]:
    """Finds the best of all parts among the best of each.

    `starts` are where parts start in the list of candidates. Of equal scores
    the one that came first in it is first.
    """
    places = np.concatenate(
        [
            np.asarray(answer[INDEX], np.int64) + start
            for answer, start in zip(answers, starts, strict=True)
        ]
    )
    outputs = {name: _joined(answers, name) for name in names}
    # NaN goes last.
    order = np.lexsort((places, -outputs[SCORE]))[:top_k]
    best = {name: values[order] for name, values in outputs.items()}
    return {**best, INDEX: places[order]}
