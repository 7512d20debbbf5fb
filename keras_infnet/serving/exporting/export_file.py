"""A trained model to one file, for ONNX Runtime or LiteRT."""

import os
import re
import textwrap
from pathlib import Path
from typing import Any

from keras_infnet.models.base.ranker import Ranker
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.file_formats import FileFormat, file_format
from keras_infnet.serving.exporting.parity_cases import full_precision
from keras_infnet.serving.exporting.parity_check import (
    Case,
    compare,
    run_isolated,
)
from keras_infnet.serving.exporting.run_export import serve_jobs
from keras_infnet.serving.exporting.sample_rows import example_inputs
from keras_infnet.serving.exporting.versions import new_version
from keras_infnet.serving.exporting.worker_process import (
    command_of,
    run_in_worker,
)
from keras_infnet.serving.model_directory import (
    check_agreement,
    load_model,
    write_model_class,
)
from keras_infnet.utils.argument_checks import check_number

__all__ = ["build_file", "export_file", "main"]

_FEW_EVENTS = 2
_MAX_CHARACTERS = 300  # of the message of a converter
_PROBLEM = "problem.txt"
_ADVICE = (
    "Nothing was written. Pass a larger `tolerance` if such a difference is "
    "acceptable; otherwise export a SavedModel."
)


def export_file(
    model: Any,
    schema: Schema,
    path: str | os.PathLike[str],
    *,
    tolerance: float = 1e-5,
) -> Path:
    """Exports a model as one file that ONNX Runtime or LiteRT runs.

    The file takes encoded ids, inputs named as `schema.inputs`, and returns
    float32 outputs of shape `(rows, 1)`, named for the tasks. The number of
    rows is free, and so are the lengths of histories up to `max_length`.
    Inputs must be as `keras_infnet.data.Encoder` makes them. The file has
    neither raw values nor ranking, and does not check ids.

    Keras's own exporter writes it under TensorFlow, in a separate process,
    whatever backend the model was trained with. In another process the
    runtime predicts from random ids, which is compared with `predict`. Only
    then the file appears, in one step, and replaces an existing one. A model
    trained in mixed precision is written, and compared, in float32.

    Not every operation has a counterpart in every format: DIEN cannot be
    exported to LiteRT.

    Args:
        model: `keras.Model`, trained, with a dict of inputs named as
            `schema.inputs` and a dict of outputs, one per task.
        schema: `keras_infnet.schema.Schema`, fitted: `encoder.schema`.
        path: path of the file. `.onnx` is for ONNX Runtime (extra `onnx`),
            `.tflite` for LiteRT (extra `litert`).
        tolerance: float. Largest difference from `predict`: absolute up to a
            value of 1, relative above. Defaults to `1e-5`.

    Returns:
        Path of the file.

    Raises:
        ImportError: If what writes or runs the format is not installed.
        IsADirectoryError: If `path` is a folder.
        ValueError: If the suffix is unknown, model and schema do not belong
            together, the format lacks an operation of the model, or the file
            does not answer as `predict` does.
        RuntimeError: If a process fails.

    Example:

    ```python
    path = export_file(model, encoder.schema, "news.onnx")
    ```
    """
    path = Path(path)
    kind = file_format(path)
    kind.check_installed()
    check_number("tolerance", tolerance)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder. Give the path of a file, which may exist."
        )
    check_agreement(model, schema)
    model = _in_float32(model)
    with new_version(path.parent) as folder:
        file = folder / f"model{kind.suffix}"
        model.save(folder / "model.keras")
        write_model_class(folder, model)
        schema.save(folder / "schema.json")
        with run_in_worker(
            command_of(__name__),
            [str(file.resolve())],
            f"writing the model for {kind.runtime}",
        ):
            # At the same time, since both take seconds.
            cases = _cases(model, schema, kind.name)
        problem = folder / _PROBLEM
        if problem.exists():
            raise _impossible(model, kind, problem.read_text("utf-8"))
        report, results = run_isolated(
            file, cases, f"running the model with {kind.runtime}"
        )
        if "problem" in report:
            raise _impossible(model, kind, report["problem"])
        compare(cases, results, tolerance, _ADVICE)
        file.replace(path)
    return path


def _in_float32(model: Any) -> Any:
    """Returns a model of the same weights that computes in float32."""
    others = {layer.compute_dtype for layer in model.layers} - {"float32"}
    if not others:
        return model
    if not isinstance(model, Ranker):
        raise ValueError(
            "models are written to a file in float32. Received: a model whose "
            f"layers compute in {', '.join(sorted(others))}. Rebuild it "
            "without mixed precision and copy the weights."
        )
    config = {**model.get_config(), "dtype": "float32"}
    same = type(model).from_config(config)
    same.set_weights(model.get_weights())
    return same


def _cases(model: Any, schema: Schema, signature: str) -> list[Case]:
    inputs = example_inputs(schema)
    short = {
        name: array[:, :_FEW_EVENTS]
        if schema.inputs[name].shape[:1] == (None,)
        else array
        for name, array in inputs.items()
    }
    first = {name: array[:1] for name, array in inputs.items()}
    with full_precision():
        expected = model.predict(inputs, verbose=0)
        few = model.predict(short, verbose=0)
    one = {task: y[:1] for task, y in expected.items()}
    return [
        Case("all rows", signature, inputs, expected),
        Case("one row", signature, first, one),
        Case("short histories", signature, short, few),
    ]


def _impossible(model: Any, kind: FileFormat, problem: str) -> ValueError:
    # LiteRT writes a page about each of these operations.
    if missing := sorted(set(re.findall(r"'tf\.(\w+)' op ", problem))):
        problem = f"it does not have the operations {', '.join(missing)}"
    problem = textwrap.shorten(problem, _MAX_CHARACTERS, placeholder=" ...")
    return ValueError(
        f"{type(model).__name__} cannot become a {kind.suffix} file for "
        f"{kind.runtime}: {problem.rstrip('.')}. Nothing was written. Export a "
        "SavedModel, which holds any model, or try the other format."
    )


def main() -> None:
    """Writes the files whose paths arrive on standard input.

    `model.keras` and `schema.json` are in the same folder.
    """

    def handle(name: str) -> None:
        path = Path(name)
        model = load_model(path.with_name("model.keras"))
        schema = Schema.load(path.with_name("schema.json"))
        try:
            build_file(model, schema, path)
        except Exception as error:
            # Converters raise errors of many classes.
            text = f"{type(error).__name__}: {error}"
            path.with_name(_PROBLEM).write_text(text, encoding="utf-8")

    serve_jobs(handle)


def build_file(model: Any, schema: Schema, path: Path) -> None:
    """Writes a model under the TensorFlow backend in the format of a suffix."""
    import tensorflow as tf

    kind = file_format(path).name
    signature = [
        {
            name: tf.TensorSpec([None, *spec.shape], spec.dtype, name)
            for name, spec in schema.inputs.items()
        }
    ]
    options: dict[str, Any] = {}
    if kind == "litert":
        # TensorFlow's own operations would need all of it at run time.
        options["target_spec"] = {
            "supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]
        }
    model.export(
        path,
        format=kind,
        verbose=False,
        input_signature=signature,
        **options,
    )
    if kind == "onnx":
        _name_axes(path, schema)


def _name_axes(path: Path, schema: Schema) -> None:
    """Names free axes: `rows`, and `{behavior}_events` for each behavior.

    The converter numbers the axes of each tensor separately. A named axis can
    be fixed when a file is loaded.
    """
    import onnx

    names = {
        name: f"{behavior.name}_events"
        for behavior in schema.behaviors
        for name in behavior.inputs
    }
    content = onnx.load(path)
    for tensor in (*content.graph.input, *content.graph.output):
        rows, *others = tensor.type.tensor_type.shape.dim
        rows.dim_param = "rows"
        if tensor.name in names:
            others[0].dim_param = names[tensor.name]
    onnx.save(content, path)
