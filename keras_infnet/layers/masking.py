"""How layers use a mask of tokens: `True` where one counts."""

from typing import Any

from keras import ops

__all__ = ["event_mask", "masked_softmax", "zero_padding"]


def zero_padding(tokens: Any, mask: Any = None) -> Any:
    """Sets masked tokens to zero; `None` masks nothing."""
    if mask is None:
        return tokens
    return tokens * ops.cast(ops.expand_dims(mask, -1), tokens.dtype)


def event_mask(events: Any, mask: Any = None) -> Any:
    """The mask of events, `(batch, events)`; all count without one.

    `Embedding(mask_zero=True)` masks every attribute of an event on its own:
    an event counts where any of its attributes does.
    """
    if mask is None:
        while len(events.shape) > 2:
            events = events[..., 0]
        return ops.ones_like(events, dtype="bool")
    mask = ops.cast(mask, "bool")
    return ops.any(mask, axis=-1) if len(mask.shape) > 2 else mask


def masked_softmax(scores: Any, readable: Any = None) -> Any:
    """Softmax over the entries of the last axis that may be read.

    `readable` is boolean, or of zeros and ones, and broadcasts to the scores.
    Where nothing may be read the result is zero. It is computed in float32:
    in half precision the sum over many entries loses digits, and the lowered
    score overflows.
    """
    dtype = scores.dtype
    scores = ops.cast(scores, "float32")
    if readable is None:
        readable = ops.ones_like(scores)
    readable = ops.cast(readable, "float32")
    if scores.shape[-1] == 1:
        # Of a single entry, for whose softmax Keras warns.
        weights = ops.ones_like(scores)
    else:
        weights = ops.softmax(scores + (readable - 1.0) * 1e9, axis=-1)
    # Where nothing counts the softmax is uniform over the padding.
    return ops.cast(weights * readable, dtype)
