"""The page that tells what an exported model is and how to call it."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
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
from keras_infnet.serving.exporting.ranking_card import ranking_card
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.graph_options import GraphOptions
from keras_infnet.serving.graph.signatures import ENCODED, RAW, required_inputs
from keras_infnet.version import __version__

__all__ = ["example_request", "model_card"]

_LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "pandas")


def example_request(encoder: Encoder | Schema) -> dict[str, Any]:
    """Returns one row in the row format of the REST interface.

    Args:
        encoder: `keras_infnet.data.Encoder` for a raw row, or a `Schema` for
            a row of encoded ids.

    Returns:
        Dict of input name to a number, a string or a list. Behaviours hold
        one event.
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
        # Shortest decimal form of a float32.
        return (
            float(str(np.float32(edges[len(edges) // 2])))
            if len(edges)
            else 0.0
        )
    known: Any = encoder.vocabularies.get(part.table_name, ())
    if part.dtype == "int":
        return int(known[0]) if len(known) else 1
    return str(known[0]) if len(known) else "a"


def _nested(value: Any, spec: InputSpec) -> Any:
    for size in reversed(spec.shape):
        value = [value] * (size or 1)
    return value


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
    """Writes the model card.

    Args:
        model: `keras.Model`.
        encoder: `keras_infnet.data.Encoder`, or `Schema` without one.
        name: string. Name under which the model is served.
        metrics: mapping of names to figures, or `None`.
        parity: mapping, the content of `parity.json`.
        description: string, or `None`.
        fusion: `Fusion`, or `None` where the schema has no candidates.
            Defaults to `None`.
        calibration: `Calibration`, or `None`. Defaults to `None`.
        options: `GraphOptions`, or `None`. Defaults to `None`.

    Returns:
        Text in Markdown.
    """
    schema = encoder if isinstance(encoder, Schema) else encoder.schema
    has_raw = isinstance(encoder, Encoder)
    sections = [
        f"# {name}\n\n{description or _about(model, schema)}",
        _tasks(schema),
        _requests(encoder, name),
        *(
            []
            if fusion is None
            else [
                ranking_card(
                    schema, example_request(encoder), has_raw, name, fusion
                )
            ]
        ),
        *([_raw_inputs(schema)] if has_raw else []),
        _encoded_inputs(schema),
        _metrics(metrics),
        *([] if calibration is None else [_calibration(calibration)]),
        *_graph(options or GraphOptions()),
        _checks(parity, calibration is not None),
        _limits(schema, has_raw),
        _made_with(),
    ]
    return "\n\n".join(sections) + "\n"


def _about(model: Any, schema: Schema) -> str:
    return (
        f"A ranking model, `{type(model).__name__}`, with "
        f"{model.count_params():,} weights. It predicts "
        f"{_listed(schema.task_names)} from {len(schema.fields)} fields and "
        f"{len(schema.behaviors)} behaviours. Its training data and their "
        "dates were not recorded."
    )


def _tasks(schema: Schema) -> str:
    rows = []
    for task in schema.tasks:
        meaning = (
            "probability that the label is 1"
            if task.kind == "binary"
            else "expected value of the label"
        )
        if task.given is not None:
            meaning += f", given that {task.given} is 1"
        rows.append((f"`{task.name}`", meaning, f"`{task.label_column}`"))
    return "## Outputs\n\n" + _table(
        ("output, shape `(rows, 1)`, float32", "meaning", "label"), rows
    )


def _requests(encoder: Encoder | Schema, name: str) -> str:
    signature = ENCODED if isinstance(encoder, Schema) else RAW
    lines = ",\n".join(
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in example_request(encoder).items()
    )
    payload = (
        f'{{"signature_name": "{signature}", "instances": [{{\n{lines}\n}}]}}'
    )
    # A quote would end the shell's string.
    payload = payload.replace("'", "'\\''")
    return (
        "## A request\n\n"
        f"In the folder that holds `{name}`:\n\n"
        "```\n"
        f"docker run -p 8501:8501 -v $PWD/{name}:/models/{name} \\\n"
        f"  -e MODEL_NAME={name} tensorflow/serving\n"
        f"curl http://localhost:8501/v1/models/{name}:predict -d '{payload}'\n"
        "```\n\n"
        "Lists of one request must have one length: pad them at the end. "
        "Over REST every input must be there; over gRPC the optional ones may "
        "be left out. An input of one row counts for all rows (with `inputs` "
        "in place of `instances`, or over gRPC), so the history of a user is "
        "sent once for many candidates. Neither works together with batching "
        "in the server, which wants equal rows."
    )


def _raw_inputs(schema: Schema) -> str:
    required = required_inputs(schema)
    fields = {part.name for part in schema.fields}
    missing = {"int64": "-1", "string": '`""`', "float32": "NaN"}
    rows = [
        (
            f"`{name}`",
            _shape(spec, name in fields),
            spec.dtype,
            missing[spec.dtype],
            "yes" if name in required else "",
        )
        for name, spec in schema.raw_inputs.items()
    ]
    text = f"## Inputs of `{RAW}`\n\n" + _table(
        ("input", "shape", "dtype", "missing", "required"), rows
    )
    text += (
        "\n\nUnknown ids are treated as missing ones. Sequences hold the "
        "newest event last; events of which every attribute is missing are "
        "padding, wherever they stand."
    )
    if schema.is_timed:
        text += f" Times count {_unit(schema)} since 1970 (UTC)."
    longest = [f"{b.name}: {b.max_length}" for b in schema.behaviors]
    if longest:
        text += f" Longer sequences are cut to the newest ({_listed(longest)})."
    several = [
        f"{part.name}: {part.max_values}"
        for part in schema.fields
        if isinstance(part, Categorical) and part.multivalued
    ]
    if several:
        text += f" Longer lists are cut to the first ({_listed(several)})."
    return text


def _encoded_inputs(schema: Schema) -> str:
    fields = {part.name for part in schema.fields}
    rows = [
        (f"`{name}`", _shape(spec, name in fields), spec.dtype)
        for name, spec in schema.inputs.items()
    ]
    return (
        f"## Inputs of `{ENCODED}`\n\n"
        + _table(("input", "shape", "dtype"), rows)
        + "\n\nIds as `keras_infnet.data.Encoder` makes them, all required."
    )


def _metrics(metrics: Mapping[str, Any] | None) -> str:
    if not metrics:
        return "## Metrics\n\nNone were recorded."
    rows = list(_flat(metrics, ""))
    return "## Metrics\n\n" + _table(("figure", "value"), rows)


def _flat(values: Mapping[str, Any], prefix: str) -> Any:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (float, np.floating)):
            yield f"{prefix}{key}", f"{value:.5g}"
        else:
            yield f"{prefix}{key}", str(value)


def _calibration(calibration: Calibration) -> str:
    steps = [(f"`{task}`", text) for task, text in describe_steps(calibration)]
    parts = [
        "## Calibration",
        "Part of the graph, in every signature; `model.keras` is without it, "
        "and so are the metrics above. `p` is what the model predicts, and "
        "behind a `then` what the step before makes of it.",
        _table(("task", "what is served"), steps),
    ]
    rows = calibration_rows(calibration)
    if rows:
        parts += [
            "Before: predictions of the model on the rows of the calibration. "
            "After: the same rows, each calibrated by what was fitted without "
            "it. `calibration` is the sum of predictions over that of labels, "
            "ECE the expected calibration error in ten bins of equal numbers, "
            "NE the log loss over that of the base rate.",
            _table(rows[0], rows[1:]),
        ]
    return "\n\n".join(parts)


def _graph(options: GraphOptions) -> list[str]:
    lines = []
    if options.compute_dtype is not None:
        lines.append(f"Layers compute in {options.compute_dtype}.")
    if options.table_dtype != "float32":
        how = ", with a scale a row" * (options.table_dtype == "int8")
        lines.append(
            f"Embedding tables are stored as {options.table_dtype}{how}."
        )
    if options.rounds:
        lines.append(
            "`model.keras` is as it was trained, and so are the metrics above: "
            "`keras-infnet evaluate` with this folder tells those of the graph."
        )
    if options.jit_compile:
        lines.append(
            "XLA compiles the model, anew for every number of rows and length "
            "of sequences."
        )
    text = "\n".join(f"- {line}" for line in lines)
    return [f"## Graph\n\n{text}"] if lines else []


def _checks(parity: Mapping[str, Any], calibrated: bool) -> str:
    rows = [
        (f"`{signature}`", f"`{task}`", f"{difference:.2g}")
        for signature, tasks in parity["largest_difference"].items()
        for task, difference in tasks.items()
    ]
    return (
        "## Checked\n\nRun by TensorFlow alone and compared with `predict` "
        f"of the trained model{', then calibrated' if calibrated else ''}, "
        f"{len(parity['cases'])} kinds of request:\n\n"
        + _table(("signature", "task", "largest difference"), rows)
    )


def _limits(schema: Schema, has_raw: bool) -> str:
    lines = [
        "It knows what its training data knew: rank only what resembles them, "
        "and watch calibration as time passes.",
        "Probabilities are those of the data it was trained on, with their "
        "selection and their position effects.",
    ]
    if has_raw:
        lines.append(
            "Ids first seen after training share one embedding, that of "
            "missing values."
        )
    if any(isinstance(part, Numeric) for part in schema.fields):
        lines.append("Numbers count by their bin alone.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _made_with() -> str:
    rows = [
        ("keras-infnet", __version__),
        ("python", platform.python_version()),
    ]
    for library in _LIBRARIES:
        try:
            rows.append((library, importlib.metadata.version(library)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        "## Made with\n\n"
        f"Under the {keras.backend.backend()} backend of Keras, exported "
        "with TensorFlow.\n\n" + _table(("library", "version"), rows)
    )


def _shape(spec: InputSpec, is_field: bool) -> str:
    names = ("values",) if is_field else ("events", "values")
    axes = [
        name if size is None else str(size)
        for name, size in zip(names, spec.shape, strict=False)
    ]
    return f"({', '.join(['rows', *axes])})"


def _unit(schema: Schema) -> str:
    return {
        "s": "seconds",
        "ms": "milliseconds",
        "us": "microseconds",
        "ns": "nanoseconds",
    }[schema.time_unit]


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )
