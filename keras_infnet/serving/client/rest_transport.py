"""Calls to a server over REST."""

import base64
import http.client
import json
import queue
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from keras_infnet.serving.client.serving_error import ServingError

__all__ = ["RestTransport", "json_columns"]

# A server also answers 400 for unknown signatures and labels.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_CHUNK = 1 << 16


class RestTransport:
    """Connections to a server, which may be used from several threads.

    Requests are in the column format, in which some inputs may have one row and
    others many. TensorFlow Serving writes `NaN`, `Infinity` and
    `-Infinity`, which JSON does not have; a proxy must let them pass. For
    KServe, which is strict, NaN is `null` and infinities are the largest
    float. Bytes are `{"b64": ...}`. `outputs` names the output of signatures
    that have only one, since the server omits its name.
    """

    def __init__(
        self,
        address: str,
        name: str,
        version: int | None,
        label: str | None,
        outputs: Mapping[str, str],
        kserve: bool = False,
    ) -> None:
        if kserve and not (version is None and label is None):
            raise ValueError(
                "KServe has no versions and labels. Received: "
                f"version={version}, label={label!r}. Call the service of "
                "this version."
            )
        self._strict = kserve
        self._address = address
        self._place = f"{name} at {address}"
        self._outputs = outputs
        self._path = f"/v1/models/{quote(name, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        if label is not None:
            self._path += f"/labels/{quote(label, safe='')}"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = (
            queue.LifoQueue()
        )
        self._closed = False

    def predict(
        self, signature: str, inputs: Mapping[str, Any], timeout: float
    ) -> tuple[dict[str, np.ndarray], int | None]:
        """Makes one call; returns outputs by name, and no version."""
        body = json.dumps(
            {
                "signature_name": signature,
                "inputs": {
                    name: json_columns(array, self._strict)
                    for name, array in inputs.items()
                },
            },
            allow_nan=not self._strict,
        ).encode()
        try:
            status, answer = self._send(body, time.monotonic() + timeout)
        except TimeoutError as error:
            text = f"no answer within {timeout:.3g} s"
            raise self._error("DEADLINE_EXCEEDED", text) from error
        except (OSError, http.client.HTTPException) as error:
            text = str(error) or type(error).__name__
            # A server of another protocol may answer bytes.
            text = text if text.isprintable() else ascii(text)
            raise self._error("UNAVAILABLE", text) from error
        if status != http.client.OK:
            code = _CODES.get(status, f"HTTP_{status}")
            raise self._error(code, _error_text(answer))
        return self._read(answer, signature), None

    def close(self) -> None:
        """Closes connections, those in use when their calls end."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _error(self, code: str, text: str) -> ServingError:
        return ServingError(code, text, self._place)

    def _send(self, body: bytes, end: float) -> tuple[int, bytes]:
        try:
            connection, fresh = self._idle.get_nowait(), False
        except queue.Empty:
            connection, fresh = http.client.HTTPConnection(self._address), True
        try:
            return self._exchange(connection, body, end)
        except TimeoutError:
            raise
        except (ConnectionError, http.client.RemoteDisconnected):
            if fresh:
                raise
        # The server has closed an idle connection.
        connection = http.client.HTTPConnection(self._address)
        return self._exchange(connection, body, end)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, end: float
    ) -> tuple[int, bytes]:
        try:
            connection.timeout = _left(end)
            if connection.sock is not None:
                connection.sock.settimeout(_left(end))
            connection.request(
                "POST",
                f"{self._path}:predict",
                body,
                {"Content-Type": "application/json"},
            )
            # Kept, since a response that closes the connection drops it.
            socket = connection.sock
            socket.settimeout(_left(end))
            response = connection.getresponse()
            parts = []
            while not response.isclosed():
                # The timeout applies to each read: set it to the time left.
                socket.settimeout(_left(end))
                piece = response.read1(_CHUNK)
                if not piece:
                    break
                parts.append(piece)
            answer = b"".join(parts)
            if response.length:
                raise http.client.IncompleteRead(answer, response.length)
            response.close()
        except BaseException:
            connection.close()
            raise
        if self._closed:
            connection.close()
        elif connection.sock is not None:
            self._idle.put(connection)
        return response.status, answer

    def _read(self, answer: bytes, signature: str) -> dict[str, np.ndarray]:
        try:
            outputs = json.loads(answer)["outputs"]
        except (ValueError, KeyError, TypeError) as error:
            text = f"no outputs in {answer[:200]!r}"
            raise self._error("INTERNAL", text) from error
        if not isinstance(outputs, dict):
            outputs = {self._outputs.get(signature, "output"): outputs}
        return {name: _array(values) for name, values in outputs.items()}


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def json_columns(array: Any, strict: bool) -> Any:
    """Converts an input to values for JSON."""
    array = np.asarray(array)
    if strict and array.dtype.kind == "f":
        most = np.finfo(np.float32).max
        array = np.clip(array, -most, most)
        array = np.where(np.isnan(array), None, array.astype(object))
    values = array.tolist()
    return _with_base64(values) if array.dtype.kind in "OS" else values


def _with_base64(values: Any) -> Any:
    if isinstance(values, list):
        return [_with_base64(value) for value in values]
    if isinstance(values, bytes):
        return {"b64": base64.b64encode(values).decode("ascii")}
    return values


def _error_text(answer: bytes) -> str:
    text = answer.decode("utf-8", "replace")
    # The server escapes apostrophes, which JSON does not allow.
    for form in (text, text.replace("\\'", "'")):
        try:
            return str(json.loads(form, strict=False)["error"])
        except (ValueError, KeyError, TypeError):
            continue
    return text.strip() or "no message"
