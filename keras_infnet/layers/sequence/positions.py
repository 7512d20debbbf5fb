"""Positions of events in time, and small tables of what they mean."""

from typing import Any

from keras import ops

__all__ = ["check_gap", "count_back", "event_ranks", "look_up"]

# More than any sequence is long, and little enough for 32 bits.
_MOST_EVENTS = 2**24


def check_gap(num_gaps: int, gap_shape: Any) -> None:
    """Raises unless a layer that reads gaps, and no other, is given them."""
    if bool(num_gaps) != (gap_shape is not None):
        state = "missing" if gap_shape is None else "given"
        raise ValueError(
            "`gap` must be given where `num_gaps` is not 0, and only there. "
            f"Received: num_gaps={num_gaps}, and gap is {state}."
        )


def event_ranks(mask: Any, gap: Any = None) -> Any:
    """Counts for every event the valid ones before it; no matter at padding.

    Without gaps the order is that of the axis. `gap` holds the bucket of the
    time between each event and the request: an event of an older bucket comes
    first, one of unknown time (0) before all others, and events of one bucket
    stay in the order of the axis.
    """
    known = ops.cast(mask, "int32")
    if gap is None:
        return ops.cumsum(known, axis=1) - known
    # A bucket is less than 64. The least key is that of the oldest event;
    # events of unknown time have 0, and padding comes last.
    age = ops.where(ops.equal(gap, 0), 0, 64 - ops.cast(gap, "int32"))
    age = ops.where(mask, age, 64)
    # No two keys are equal: not every backend promises a stable sort.
    index = ops.cumsum(ops.ones_like(known), axis=1)
    keys = age * _MOST_EVENTS + index
    return ops.argsort(ops.argsort(keys, axis=1), axis=1)


def count_back(mask: Any) -> Any:
    """Counts for every event the valid ones at or after it, 0 at padding.

    The newest event has 1, wherever padding lies.
    """
    known = ops.cast(mask, "int32")
    total = ops.sum(known, axis=1, keepdims=True)
    return (total - ops.cumsum(known, axis=1) + known) * known


def look_up(table: Any, ids: Any) -> Any:
    """Reads rows of a small table; numbers beyond it read its last row.

    The gradient is as large as the table: optimizers on the TensorFlow
    backend square repeated sparse slices one by one.
    """
    # Not `clip`: between 0 and 6 LiteRT takes it for an activation.
    ids = ops.minimum(ops.maximum(ids, 0), table.shape[0] - 1)
    # The product makes the gradient dense.
    return ops.take(table * 1.0, ids, axis=0)
