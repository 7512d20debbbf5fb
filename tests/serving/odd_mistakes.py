"""Ways to spoil the tensors of a request, so that it must be refused."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from cpp_program import tensor_proto

#: What may be wrong with the tensors of any request.
MISTAKES = (
    "left out",
    "another name",
    "one more",
    "dtype",
    "more axes",
    "fewer axes",
    "empty message",
    "unheard-of dtype",
    "negative size",
    "size beyond all memory",
    "size that overflows",
    "bytes at the end",
)
#: The same, where several inputs have rows.
WITH_ROWS = (*MISTAKES, "rows")

_DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool", "string")


def spoiled(
    inputs: Mapping[str, np.ndarray],
    dtypes: Mapping[str, str],
    required: Sequence[str],
    rng: np.random.Generator,
    mistakes: Collection[str] = WITH_ROWS,
) -> tuple[str, dict[str, Any]]:
    """Makes one mistake."""
    out: dict[str, Any] = dict(inputs)
    kind, name = str(rng.choice([*mistakes])), str(rng.choice([*inputs]))
    if kind == "left out":
        name = str(rng.choice([*required]))
    if kind == "rows" and name == "item":
        # All others may have one row, which would go with any number.
        name = "city"
    array = inputs[name]
    if kind == "fewer axes" and not array.ndim:
        kind = "more axes"
    if kind == "size beyond all memory" and array.dtype == object:
        # The runtime waits ten seconds for the memory of so much text.
        kind = "size that overflows"
    if kind == "bytes at the end" and (not array.size or array.dtype == object):
        # Where no bytes are read, more of them do not matter.
        kind = "negative size"
    if kind == "left out":
        del out[name]
    elif kind == "another name":
        out[f"{name}_"] = out.pop(name)
    elif kind == "one more":
        out["more"] = array
    elif kind == "rows":
        count = len(inputs["item"])
        rows = int(rng.choice([0, count + 1, count + 100]))
        out[name] = np.zeros((rows, *array.shape[1:]), array.dtype)
        if array.dtype == object:
            out[name].fill(b"text")
    elif kind == "dtype":
        others = [dtype for dtype in _DTYPES if dtype != dtypes[name]]
        dtype = str(rng.choice(others)).replace("string", "str")
        zeros = np.zeros(array.shape, "int8")
        out[name] = zeros.astype(dtype)
    elif kind == "more axes":
        out[name] = array[..., None]
    elif kind == "fewer axes":
        out[name] = array[0]
    else:
        out[name] = _broken(tensor_proto(array), kind)
    return f"{kind}: {name}", out


def _broken(proto: Any, kind: str) -> Any:
    """Makes a message that no client would send."""
    sizes = proto.tensor_shape.dim
    if not sizes:
        sizes.add().size = 1
    if kind == "empty message":
        proto.Clear()
    elif kind == "unheard-of dtype":
        proto.dtype = 99
    elif kind == "negative size":
        sizes[0].size = -2
    elif kind == "size beyond all memory":
        sizes[0].size = 2**50
    elif kind == "size that overflows":
        sizes[0].size = 2**62
        sizes.add().size = 2**62
    else:
        proto.tensor_content += b"\0\0\0"
    return proto
