"""Positions of events, and look-up in tables of learned vectors."""

from typing import Any

from keras import ops

__all__ = ["check_gap", "count_back", "event_ranks", "look_up"]

# Longer than any sequence; 64 times as many still fit into 32 bits.
_MOST_EVENTS = 2**24


def check_gap(num_gaps: int, gap_shape: Any) -> None:
    """Raises `ValueError` unless `gap` is given if and only if it is used."""
    if bool(num_gaps) != (gap_shape is not None):
        state = "missing" if gap_shape is None else "given"
        raise ValueError(
            "`gap` must be given if and only if `num_gaps` is not 0. "
            f"Received: num_gaps={num_gaps}, and gap is {state}."
        )


def event_ranks(mask: Any, gap: Any = None) -> Any:
    """Counts for every event the valid events before it; arbitrary at padding.

    Without gaps the order is that of the axis. `gap` holds the bucket of the
    time between each event and the request: events of older buckets come
    first, those of unknown time (0) before all others, and events of the same
    bucket stay in the order of the axis.
    """
    valid = ops.cast(mask, "int32")
    if gap is None:
        return ops.cumsum(valid, axis=1) - valid
    # Buckets are below 64. The oldest event has the smallest key; events of
    # unknown time have age 0, and padding comes last.
    age = ops.where(ops.equal(gap, 0), 0, 64 - ops.cast(gap, "int32"))
    age = ops.where(mask, age, 64)
    # All keys differ, because not every backend guarantees a stable sort.
    index = ops.cumsum(ops.ones_like(valid), axis=1)
    keys = age * _MOST_EVENTS + index
    return ops.argsort(ops.argsort(keys, axis=1), axis=1)


def count_back(mask: Any) -> Any:
    """Counts for every event the valid events at or after it, 0 at padding.

    The newest event gets 1, even if padding follows it.
    """
    valid = ops.cast(mask, "int32")
    total = ops.sum(valid, axis=1, keepdims=True)
    return (total - ops.cumsum(valid, axis=1) + valid) * valid


def look_up(table: Any, ids: Any) -> Any:
    """Gathers rows of a small table; ids out of range give the last row.

    The gradient is dense, because optimizers on TensorFlow square the slices
    of a sparse gradient separately, even those of the same row.
    """
    # Not `clip`, because LiteRT takes a clip between 0 and 6 for ReLU6.
    ids = ops.minimum(ops.maximum(ids, 0), table.shape[0] - 1)
    # The product makes the gradient dense.
    return ops.take(table * 1.0, ids, axis=0)
