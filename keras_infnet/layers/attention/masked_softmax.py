"""A softmax over what may be read."""

from typing import Any

from keras import ops

__all__ = ["masked_softmax"]


def masked_softmax(scores: Any, readable: Any = None) -> Any:
    """Softmax over the last axis, of the entries that may be read.

    It is computed in float32: in half precision the sum over many entries
    loses digits, and the lowered score overflows.

    Args:
        scores: tensor.
        readable: boolean tensor, or one of zeros and ones, that broadcasts to
            the scores. `None` reads all. Defaults to `None`.

    Returns:
        Tensor of the shape and dtype of `scores`; zero where nothing may be
        read.
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
