"""Signatures of an exported model: their names, inputs and outputs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.schema import Categorical, InputSpec, Schema

__all__ = [
    "ENCODED",
    "EXAMPLES",
    "INDEX",
    "RANK",
    "RANK_TOP_K",
    "RAW",
    "SCORE",
    "Signature",
    "check_names",
    "missing_value",
    "required_inputs",
    "shared_raw_inputs",
    "signatures_of",
]

#: Signature of encoded ids.
ENCODED = "serving_default"
#: Signature of raw values.
RAW = "serve_raw"
#: Signature of serialized `tf.train.Example`s.
EXAMPLES = "serve_examples"
#: Signature of one request and its candidates.
RANK = "rank"
#: Signature that returns only the best candidates.
RANK_TOP_K = "rank_top_k"
#: Output that orders the candidates.
SCORE = "score"
#: Output of the positions of the best candidates.
INDEX = "index"

_FILLS: dict[str, Any] = {
    "int64": np.int64(-1),
    "string": "",
    "float32": np.float32("nan"),
}


def required_inputs(schema: Schema) -> tuple[str, ...]:
    """Names the raw inputs that every request must have.

    These are the single-valued categorical fields, or the first field if
    there are none. All others (numbers, lists, behaviors, times) are missing
    values if a request omits them.

    >>> from keras_infnet.schema import Numeric, Task
    >>> fields = [Categorical("item"), Numeric("price")]
    >>> required_inputs(Schema(fields, [Task("click")]))
    ('item',)
    """
    names = tuple(
        part.name
        for part in schema.fields
        if isinstance(part, Categorical) and not part.multivalued
    )
    return names or (schema.fields[0].name,)


def missing_value(spec: InputSpec) -> np.ndarray:
    """Returns one row of missing values, for an input that is omitted.

    >>> missing_value(InputSpec((None,), "int64"))
    array([[-1]])
    """
    fill = _FILLS[spec.dtype]
    shape = (1,) * (1 + len(spec.shape))
    dtype = object if spec.dtype == "string" else spec.dtype
    return np.full(shape, fill, dtype)


def shared_raw_inputs(schema: Schema) -> tuple[str, ...]:
    """Names the raw inputs that all candidates of a request share."""
    return tuple(n for n in schema.raw_inputs if n not in schema.candidates)


@dataclasses.dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature.

    Shapes are without the axis of rows, which `scalars` do not have.
    """

    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, tuple[int, ...]]
    optional: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()


def signatures_of(schema: Schema, raw: bool) -> dict[str, Signature]:
    """Returns the signatures of an exported model, by name.

    `raw` is whether they take raw values.
    """
    tasks = dict.fromkeys(schema.task_names, (1,))
    found = {ENCODED: Signature(schema.inputs, tasks)}
    required = required_inputs(schema)
    specs = schema.inputs
    optional: tuple[str, ...] = ()
    if raw:
        specs = schema.raw_inputs
        optional = tuple(name for name in specs if name not in required)
        found[RAW] = Signature(specs, tasks, optional)
        found[EXAMPLES] = Signature(
            {"inputs": InputSpec((), "string")},
            dict.fromkeys(("classes", "scores"), (len(schema.tasks),)),
        )
    if schema.candidates:
        scores: dict[str, tuple[int, ...]] = dict.fromkeys(
            (*schema.task_names, SCORE), ()
        )
        found[RANK] = Signature(specs, scores, optional)
        found[RANK_TOP_K] = Signature(
            {**specs, "k": InputSpec((), "int32")},
            {**scores, INDEX: ()},
            optional,
            ("k",),
        )
    return found


def check_names(schema: Schema) -> None:
    """Raises `ValueError` if a name of the schema is used by signatures."""
    for name, spec in schema.raw_inputs.items():
        lengths = f"{name}_lengths"
        if len(spec.shape) > 1 and lengths in schema.raw_inputs:
            raise ValueError(
                f"{EXAMPLES} uses the feature {lengths!r} for the lengths of "
                f"{name!r}, and the schema has an attribute of that name. "
                "Rename it."
            )
    if not schema.candidates:
        return
    inputs = {*schema.inputs, *schema.raw_inputs}
    for name, names, what in (
        (SCORE, schema.task_names, "task"),
        (INDEX, schema.task_names, "task"),
        ("k", inputs, "input"),
    ):
        if name.lower() in [other.lower() for other in names]:
            raise ValueError(
                f"the signatures for ranking use the name {name!r}, and the "
                f"schema has {what} {name!r}. Rename it, or export with "
                "`candidates=()`."
            )
