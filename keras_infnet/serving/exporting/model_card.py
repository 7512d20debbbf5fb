"""The model card of an export, from `templates/model_card.md.jinja`."""

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.schema import Categorical, Field, InputSpec, Numeric, Schema
from keras_infnet.serving.calibration.calibration import Calibration
from keras_infnet.serving.calibration.calibration_report import (
    calibration_rows,
    describe_steps,
)
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.graph_options import GraphOptions
from keras_infnet.serving.graph.signatures import (
    required_inputs,
    shared_raw_inputs,
)
from keras_infnet.utils.templates import render
from keras_infnet.version import __version__

__all__ = ["model_card"]

_LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "pandas")
_MISSING = {"int64": "-1", "string": '`""`', "float32": "NaN"}
_UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}


def model_card(
    model: Any,
    encoder: Encoder | Schema,
    name: str,
    metrics: Mapping[str, Any] | None,
    parity: Mapping[str, Any],
    description: str | None,
    fusion: Fusion | None = None,
    calibration: Calibration | None = None,
    options: GraphOptions | None = None,
) -> str:
    """Returns the model card in Markdown.

    `encoder` is a `Schema` for an export without an encoder, `name` the name
    of the served model, `parity` the content of `parity.json`.
    """
    schema = encoder if isinstance(encoder, Schema) else encoder.schema
    has_raw = isinstance(encoder, Encoder)
    row = _example_request(encoder)
    shared = shared_raw_inputs(schema) if has_raw else schema.shared_inputs
    steps = None
    if calibration is not None:
        steps = [
            (f"`{task}`", text) for task, text in describe_steps(calibration)
        ]
    return render(
        "model_card.md.jinja",
        shell_json=_shell_json,
        model_name=name,
        description=description,
        model_class=type(model).__name__,
        num_weights=model.count_params(),
        schema=schema,
        has_raw=has_raw,
        outputs=list(_outputs(schema)),
        row=row,
        fusion=fusion,
        ranking_inputs={
            key: [value] if key in shared else [value, value]
            for key, value in row.items()
        },
        raw_inputs=list(_raw_inputs(schema)),
        time_unit=_UNITS[schema.time_unit],
        longest=[f"{b.name}: {b.max_length}" for b in schema.behaviors],
        most_values=[
            f"{part.name}: {part.max_values}"
            for part in schema.fields
            if isinstance(part, Categorical) and part.multivalued
        ],
        encoded_inputs=[
            (f"`{key}`", _shape(schema, key, spec), spec.dtype)
            for key, spec in schema.inputs.items()
        ],
        metrics=list(_figures(metrics or {}, "")),
        calibration_steps=steps,
        calibration_figures=calibration_rows(calibration or Calibration(())),
        options=options or GraphOptions(),
        parity=parity,
        differences=[
            (f"`{signature}`", f"`{task}`", f"{difference:.2g}")
            for signature, tasks in parity["largest_difference"].items()
            for task, difference in tasks.items()
        ],
        has_numbers=any(isinstance(p, Numeric) for p in schema.fields),
        backend=keras.backend.backend(),
        libraries=list(_libraries()),
    )


def _shell_json(value: Any) -> str:
    # A quote would end the string of the shell.
    return json.dumps(value, ensure_ascii=False).replace("'", "'\\''")


def _example_request(encoder: Encoder | Schema) -> dict[str, Any]:
    """Returns one row of JSON values, raw or, without an encoder, ids.

    Sequences have one event.
    """
    if isinstance(encoder, Schema):
        return {
            name: _nested(True if spec.dtype == "bool" else 1, spec)
            for name, spec in encoder.inputs.items()
        }
    schema = encoder.schema
    specs = schema.raw_inputs
    now = round(1_700_000_000_000 / schema.milliseconds)
    row: dict[str, Any] = {}
    for part in schema.fields:
        row[part.name] = _nested(_value(encoder, part), specs[part.name])
    for behavior in schema.behaviors:
        for part in schema.attributes(behavior):
            name = behavior.column(part)
            row[name] = _nested(_value(encoder, part), specs[name])
        if behavior.timed:
            row[behavior.time_column] = [now - round(6e4 / schema.milliseconds)]
    if schema.is_timed:
        row[str(schema.request_time)] = now
    return {name: row[name] for name in specs}


def _value(encoder: Encoder, part: Field) -> Any:
    if isinstance(part, Numeric):
        edges = encoder.boundaries[part.table_name]
        if not len(edges):
            return 0.0
        # Shortest decimal form of a float32.
        return float(str(np.float32(edges[len(edges) // 2])))
    known: Any = encoder.vocabularies.get(part.table_name, ())
    if part.dtype == "int":
        return int(known[0]) if len(known) else 1
    return str(known[0]) if len(known) else "a"


def _nested(value: Any, spec: InputSpec) -> Any:
    for size in reversed(spec.shape):
        value = [value] * (size or 1)
    return value


def _outputs(schema: Schema) -> Iterator[tuple[str, str, str]]:
    for task in schema.tasks:
        meaning = (
            "probability that the label is 1"
            if task.kind == "binary"
            else "expected value of the label"
        )
        if task.given is not None:
            meaning += f", given that {task.given} is 1"
        yield f"`{task.name}`", meaning, f"`{task.label_column}`"


def _raw_inputs(schema: Schema) -> Iterator[tuple[str, ...]]:
    required = required_inputs(schema)
    for name, spec in schema.raw_inputs.items():
        yield (
            f"`{name}`",
            _shape(schema, name, spec),
            spec.dtype,
            _MISSING[spec.dtype],
            "yes" if name in required else "",
        )


def _shape(schema: Schema, name: str, spec: InputSpec) -> str:
    is_field = name in [part.name for part in schema.fields]
    names = ("values",) if is_field else ("events", "values")
    axes = [
        axis if size is None else str(size)
        for axis, size in zip(names, spec.shape, strict=False)
    ]
    return f"({', '.join(['rows', *axes])})"


def _figures(
    values: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{key}.")
        elif isinstance(value, (float, np.floating)):
            yield f"{prefix}{key}", f"{value:.5g}"
        else:
            yield f"{prefix}{key}", str(value)


def _libraries() -> Iterator[tuple[str, str]]:
    yield "keras-infnet", __version__
    yield "python", platform.python_version()
    for library in _LIBRARIES:
        try:
            yield library, importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
