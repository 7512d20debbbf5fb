"""Writes a model as one file, in a process of its own.

`python -m keras_infnet.serving.exporting.build_file PATH` reads `model.keras`
and `schema.json` beside `PATH` and writes `PATH`, by the exporter of Keras that
its suffix asks for. What the converter cannot do goes to `problem.txt` there.
"""

import sys
from pathlib import Path
from typing import Any

from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.file_formats import file_format

__all__ = ["PROBLEM_FILE", "build_file", "main"]

PROBLEM_FILE = "problem.txt"


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
        # Those of TensorFlow itself would need all of it where they run.
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
    """Names free axes: `rows`, and one a behavior for its events.

    The converter numbers them, each tensor its own. By a name, an axis can be
    fixed when a file is loaded.
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


def main() -> None:
    """Writes the file that the command line names."""
    from keras_infnet.serving.model_directory import load_model

    path = Path(sys.argv[1])
    model = load_model(path.with_name("model.keras"))
    schema = Schema.load(path.with_name("schema.json"))
    try:
        build_file(model, schema, path)
    except Exception as error:
        # Whatever a converter raises: the exporting process says it shorter.
        problem = f"{type(error).__name__}: {error}"
        path.with_name(PROBLEM_FILE).write_text(problem, encoding="utf-8")


if __name__ == "__main__":
    main()
