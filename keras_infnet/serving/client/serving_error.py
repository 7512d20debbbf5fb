"""The error of a refused call, with advice."""

__all__ = ["ServingError"]

_ADVICE = {
    "NOT_FOUND": (
        "The server has no model of this name, or not this version. Compare "
        "both with its models.config and its model folders; a new version "
        "takes a moment to load."
    ),
    "INVALID_ARGUMENT": (
        "The request does not fit the model. Load the schema of the client "
        "from the served version, and check that this version has the "
        "signature and the server the label. With batching, a request must "
        "not have more rows than max_batch_size, and all inputs need equally "
        "many."
    ),
    "FAILED_PRECONDITION": (
        "The model has no such signature: raw values need an export with an "
        "encoder, ranking needs `candidates` in the schema."
    ),
    "RESOURCE_EXHAUSTED": (
        "The server has more concurrent calls than threads. Send fewer, or "
        "start it with more: --grpc_max_threads, --rest_api_num_threads."
    ),
    "DEADLINE_EXCEEDED": (
        "Give the client a longer `timeout`, or send fewer rows per call."
    ),
    "UNAVAILABLE": (
        "Check that the server runs, that this is the port of the protocol, "
        "usually 8500 for gRPC and 8501 for REST, and with batching, that its "
        "queue is not full (max_enqueued_batches)."
    ),
    "ABORTED": "Call again, or name a `version` or a `label`.",
}


class ServingError(RuntimeError):
    """A call to a server that failed.

    Args:
        code: string. Name of the gRPC status; those of HTTP are translated.
        text: string. Message of the server, or of the failed connection.
        place: string. Model and address that were called.

    Example:

    >>> error = ServingError("NOT_FOUND", "no news", "news at localhost:8500")
    >>> error.code, error.text
    ('NOT_FOUND', 'no news')
    """

    def __init__(self, code: str, text: str, place: str) -> None:
        advice = _ADVICE.get(code, "The log of the server may say more.")
        end = "" if text.rstrip().endswith((".", "!", "?")) else "."
        super().__init__(f"{place}: {code}: {text.strip()}{end} {advice}")
        self.code = code
        self.text = text
