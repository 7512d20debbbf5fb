"""What a server refuses, and what to do about it."""

__all__ = ["ServingError"]

_ADVICE = {
    "NOT_FOUND": (
        "The server does not serve a model of this name, or not this version. "
        "Compare both with its models.config and with the folders it sees; a "
        "new version takes a moment to load."
    ),
    "INVALID_ARGUMENT": (
        "The request does not fit the model. Read the schema of the client "
        "from the version that is served, and see whether that has the "
        "signature, and the server the label, asked for. With batching on, a "
        "request must not have more rows than max_batch_size, and all of its "
        "inputs need equally many."
    ),
    "FAILED_PRECONDITION": (
        "The model has no such signature: raw values need an export with an "
        "encoder, ranking needs `candidates` in the schema."
    ),
    "RESOURCE_EXHAUSTED": (
        "The server has more calls at once than threads. Send fewer at a "
        "time, or start it with more: --grpc_max_threads, "
        "--rest_api_num_threads."
    ),
    "DEADLINE_EXCEEDED": (
        "Give the client a longer `timeout`, or send fewer rows in a call."
    ),
    "UNAVAILABLE": (
        "See whether the server runs, whether this is the port of the "
        "protocol, usually 8500 for gRPC and 8501 for REST, and with batching "
        "on, whether its queue is full (max_enqueued_batches)."
    ),
    "ABORTED": "Call again, or name a `version` or a `label`.",
}


class ServingError(RuntimeError):
    """A call of a server that brought no predictions.

    Args:
        code: string. Name of the status, as gRPC has them. Those of HTTP are
            translated.
        text: string. What the server says, or what went wrong on the way.
        place: string. Who was asked.

    Example:

    >>> error = ServingError("NOT_FOUND", "no news", "news at localhost:8500")
    >>> error.code, error.text
    ('NOT_FOUND', 'no news')
    """

    def __init__(self, code: str, text: str, place: str) -> None:
        advice = _ADVICE.get(code, "The log of the server may tell more.")
        end = "" if text.rstrip().endswith((".", "!", "?")) else "."
        super().__init__(f"{place}: {code}: {text.strip()}{end} {advice}")
        self.code = code
        self.text = text
