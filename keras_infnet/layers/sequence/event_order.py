"""Places of events in time."""

from typing import Any

from keras import ops

__all__ = ["count_back", "event_ranks"]

# More than any sequence is long, and little enough for 32 bits.
_ROOM = 2**24


def event_ranks(valid: Any, gap: Any = None) -> Any:
    """Counts for every event the valid ones that come before it.

    Without gaps the order is that of the axis. With them an event of an
    older bucket comes first, one of unknown time before all others, and
    events of one bucket stay in the order of the axis.

    Args:
        valid: boolean tensor of shape `(batch, events)`.
        gap: integer tensor of shape `(batch, events)`: bucket of the time
            between the event and the request, 0 for unknown. Defaults to
            `None`.

    Returns:
        int32 tensor of shape `(batch, events)`. It means nothing at padding.
    """
    known = ops.cast(valid, "int32")
    if gap is None:
        return ops.cumsum(known, axis=1) - known
    # A bucket is less than 64. The least key is that of the oldest event;
    # events of unknown time have 0, and padding comes last.
    age = ops.where(ops.equal(gap, 0), 0, 64 - ops.cast(gap, "int32"))
    age = ops.where(valid, age, 64)
    # No two keys are equal: not every backend promises a stable sort.
    index = ops.cumsum(ops.ones_like(known), axis=1)
    return ops.argsort(ops.argsort(age * _ROOM + index, axis=1), axis=1)


def count_back(valid: Any) -> Any:
    """Counts for every event the valid ones at or after it.

    Args:
        valid: boolean tensor of shape `(batch, events)`.

    Returns:
        int32 tensor of shape `(batch, events)`: 1 for the newest event,
        wherever padding lies, and 0 at padding.
    """
    known = ops.cast(valid, "int32")
    total = ops.sum(known, axis=1, keepdims=True)
    return (total - ops.cumsum(known, axis=1) + known) * known
