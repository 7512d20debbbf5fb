"""Masks of tokens: `True` where a token is valid, `False` at padding."""

from collections.abc import Mapping
from typing import Any

from keras import ops

__all__ = ["check_masks", "event_mask", "masked_softmax", "zero_padding"]


def check_masks(arguments: Mapping[str, Any]) -> None:
    """Raises `ValueError` for a mask that does not fit its tensor.

    `arguments` are those of a call, in order: `x_mask` is the mask of `x`,
    and `mask` that of the first argument.
    """
    first = next(iter(arguments))
    for name, mask in arguments.items():
        if name != "mask" and not name.endswith("_mask"):
            continue
        owner = first if name == "mask" else name.removesuffix("_mask")
        tensor = arguments.get(owner)
        if isinstance(mask, Mapping) and isinstance(tensor, Mapping):
            for key in mask.keys() & tensor.keys():
                parts = f"{name}[{key!r}]", f"{owner}[{key!r}]"
                _check_mask(*parts, mask[key], tensor[key])
        else:
            _check_mask(name, owner, mask, tensor)


def _check_mask(name: str, owner: str, mask: Any, tensor: Any) -> None:
    shape, whole = getattr(mask, "shape", None), getattr(tensor, "shape", None)
    if shape is None or whole is None:
        return
    # Events with several attributes may be masked as a whole.
    ranks = {len(whole) - 1, 2} if len(whole) == 4 else {len(whole) - 1}
    sizes = list(zip(shape, whole, strict=False))
    if len(shape) in ranks and all(
        # One row may be broadcast to all rows of a batch.
        size in (None, other) or other is None or (size == 1 and axis == 0)
        for axis, (size, other) in enumerate(sizes)
    ):
        return
    axes = (
        "its last axis, or its last two" if len(whole) == 4 else "its last axis"
    )
    raise ValueError(
        f"`{name}` must have the shape of `{owner}` without {axes}. Received: "
        f"{name} of shape {tuple(shape)}, {owner} of shape {tuple(whole)}."
    )


def zero_padding(tokens: Any, mask: Any = None) -> Any:
    """Sets masked tokens to zero; `None` masks nothing."""
    if mask is None:
        return tokens
    return tokens * ops.cast(ops.expand_dims(mask, -1), tokens.dtype)


def event_mask(events: Any, mask: Any = None) -> Any:
    """Returns the mask of events, `(batch, events)`; without a mask, all true.

    `Embedding(mask_zero=True)` masks every attribute of an event separately:
    an event is valid if any of its attributes is.
    """
    if mask is None:
        while len(events.shape) > 2:
            events = events[..., 0]
        return ops.ones_like(events, dtype="bool")
    mask = ops.cast(mask, "bool")
    return ops.any(mask, axis=-1) if len(mask.shape) > 2 else mask


def masked_softmax(scores: Any, readable: Any = None) -> Any:
    """Softmax over the readable entries of the last axis.

    `readable` is boolean, or of zeros and ones, and broadcasts to the scores.
    Where nothing is readable the result is zero. The computation is in
    float32: in half precision the sum over many entries loses digits, and the
    lowered score overflows.
    """
    dtype = scores.dtype
    scores = ops.cast(scores, "float32")
    if readable is None:
        readable = ops.ones_like(scores)
    readable = ops.cast(readable, "float32")
    if scores.shape[-1] == 1:
        # Keras warns about the softmax of a single entry.
        weights = ops.ones_like(scores)
    else:
        weights = ops.softmax(scores + (readable - 1.0) * 1e9, axis=-1)
    # Where nothing is readable the softmax is uniform over the padding.
    return ops.cast(weights * readable, dtype)
