"""A trained model to one file, for ONNX Runtime or LiteRT."""

import os
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.models.base.ranker import Ranker
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting import run_file
from keras_infnet.serving.exporting.build_file import PROBLEM_FILE
from keras_infnet.serving.exporting.file_formats import FileFormat, file_format
from keras_infnet.serving.exporting.parity_cases import full_precision
from keras_infnet.serving.exporting.parity_check import (
    Case,
    compare,
    load_outputs,
    save_inputs,
)
from keras_infnet.serving.exporting.python_process import python
from keras_infnet.serving.exporting.sample_rows import example_inputs
from keras_infnet.serving.exporting.versions import new_version
from keras_infnet.serving.model_directory import (
    check_agreement,
    write_model_class,
)
from keras_infnet.utils.argument_checks import check_number

__all__ = ["export_file"]

_FEW_EVENTS = 2
_WORDS = 300  # characters of what a converter says
_ADVICE = (
    "Nothing was written. Give a larger `tolerance` where such a difference "
    "does no harm; otherwise export a SavedModel."
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
    float32 outputs of shape `(rows, 1)`, named for the tasks. Rows are free,
    and so are lengths of histories, up to those of the schema. Inputs must be
    as `keras_infnet.data.Encoder` makes them: what `export` does for a server
    besides (raw values, ranking, ids that no table has) is not in the file.

    Keras's own exporter writes it under TensorFlow, in a process of its own,
    whatever backend the model was trained with. In another process the
    runtime answers drawn ids, which are compared with `predict`. Only then
    the file appears, in one step, in place of one that was there. A model
    trained in mixed precision is written, and compared, in float32.

    Not every operation has a counterpart in every format: DIEN has none in
    LiteRT.

    Args:
        model: `keras.Model`, trained, with a dict of inputs named as
            `schema.inputs` and a dict of outputs, one a task.
        schema: `keras_infnet.schema.Schema`, fitted: `encoder.schema`.
        path: path of the file. `.onnx` is for ONNX Runtime (extra `onnx`),
            `.tflite` for LiteRT (extra `litert`).
        tolerance: float. Largest difference to `predict`, of values beyond 1
            as a part of the value. Defaults to `1e-5`.

    Returns:
        Path of the file.

    Raises:
        ImportError: If what writes or runs the format is not installed.
        IsADirectoryError: If `path` is a folder.
        ValueError: If the suffix is not known, model and schema do not belong
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
        with python(
            ["-m", "keras_infnet.serving.exporting.build_file", str(file)],
            f"writing the model for {kind.runtime}",
        ):
            # In the meantime, for both take their time.
            cases = _cases(model, schema, kind.name)
        _raise_problem(folder, model, kind)
        results = _run(file, cases, kind)
        _raise_problem(folder, model, kind)
        compare(cases, results, tolerance, _ADVICE)
        file.replace(path)
    return path


def _in_float32(model: Any) -> Any:
    """The same weights, computing in float32, of which formats know most."""
    others = {layer.compute_dtype for layer in model.layers} - {"float32"}
    if not others:
        return model
    if not isinstance(model, Ranker):
        raise ValueError(
            "models are written to a file in float32. Received: a model whose "
            f"layers compute in {', '.join(sorted(others))}. Build it anew "
            "without mixed precision and give it the weights."
        )
    config = {**model.get_config(), "dtype": "float32"}
    same = type(model).from_config(config)
    same.set_weights(model.get_weights())
    return same


def _cases(model: Any, schema: Schema, signature: str) -> list[Case]:
    inputs = example_inputs(schema)
    first = {name: array[:1] for name, array in inputs.items()}
    short = {
        name: array[:, :_FEW_EVENTS]
        if schema.inputs[name].shape[:1] == (None,)
        else array
        for name, array in inputs.items()
    }
    with full_precision():
        expected = model.predict(inputs, verbose=0)
        answers = {
            "all rows": (inputs, expected),
            "one row": (first, {k: y[:1] for k, y in expected.items()}),
            "short histories": (short, model.predict(short, verbose=0)),
        }
    return [
        Case(name, signature, request, answer)
        for name, (request, answer) in answers.items()
    ]


def _run(
    file: Path, cases: list[Case], kind: FileFormat
) -> list[dict[str, np.ndarray]]:
    """Outputs of every case, none where the runtime reports a problem."""
    paths = {
        name: file.with_name(name)
        for name in ("cases.npz", "results.npz", PROBLEM_FILE)
    }
    save_inputs(paths["cases.npz"], cases)
    with python(
        [
            *("-I", str(run_file.__file__), str(file.resolve())),
            *(str(path.resolve()) for path in paths.values()),
        ],
        f"running the model with {kind.runtime}",
    ):
        pass
    if not paths["results.npz"].exists():
        return []
    return load_outputs(paths["results.npz"], cases)


def _raise_problem(folder: Path, model: Any, kind: FileFormat) -> None:
    problem = folder / PROBLEM_FILE
    if not problem.exists():
        return
    text = problem.read_text("utf-8")
    lacking = sorted(set(re.findall(r"'tf\.(\w+)' op ", text)))
    if lacking:
        # Of each of which LiteRT writes a page.
        said = f"it cannot do {', '.join(lacking)}"
    else:
        said = textwrap.shorten(text, _WORDS, placeholder=" ...")
    raise ValueError(
        f"{type(model).__name__} cannot become a {kind.suffix} file for "
        f"{kind.runtime}: {said.rstrip('.')}. Nothing was written. Export a "
        "SavedModel, which holds any model, or try the other format."
    )
