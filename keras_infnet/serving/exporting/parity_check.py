"""Comparison of an exported model with the model it was made from."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.serving.exporting import run_saved_model
from keras_infnet.serving.exporting.parity_case import Case
from keras_infnet.serving.exporting.python_process import python
from keras_infnet.serving.graph.signatures import signatures_of

__all__ = ["check_signatures", "compare", "run_isolated"]

_METHOD = "tensorflow/serving/predict"
_ADVICE = (
    "Nothing was exported. Mixed precision and tables of few bits round "
    "coarsely: give a larger `tolerance`. If the signatures for ranking differ "
    "alone, export with `candidates=()`. Otherwise the model does something "
    "that a graph does not repeat: please report it."
)


def run_isolated(
    folder: Path, cases: list[Case]
) -> tuple[dict[str, Any], list[dict[str, np.ndarray]]]:
    """Runs cases in a fresh process that cannot import this package.

    Args:
        folder: path of the SavedModel.
        cases: list of `Case`.

    Returns:
        What the signatures declare, and the outputs of every case.

    Raises:
        RuntimeError: If the model cannot be loaded or run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        script, names = directory / "run_saved_model.py", ("cases", "results")
        shutil.copyfile(str(run_saved_model.__file__), script)
        inputs = {}
        for case in cases:
            for name, array in case.inputs.items():
                if array.dtype.kind == "O":
                    # Without pickling: text of a fixed width.
                    array = array.astype(np.str_)
                inputs[f"{case.name}/{case.signature}/{name}"] = array
        # Typed as if a name could be that of an argument.
        np.savez(directory / "cases.npz", **inputs)  # type: ignore[arg-type]
        paths = [script, folder, *(directory / f"{n}.npz" for n in names)]
        with python(
            ["-I", *(str(path.resolve()) for path in paths)],
            "running the exported model without keras_infnet",
        ):
            pass
        with np.load(directory / "results.npz", allow_pickle=False) as file:
            results = {name: file[name] for name in file.files}
    signatures = json.loads(str(results.pop("signatures")))
    return signatures, [
        {
            name.rpartition("/")[2]: array
            for name, array in results.items()
            if name.startswith(f"{case.name}/{case.signature}/")
        }
        for case in cases
    ]


def check_signatures(
    signatures: Mapping[str, Any], schema: Schema, raw: bool
) -> None:
    """Checks what the signatures of a SavedModel declare.

    Args:
        signatures: mapping of signature name to its description, from
            `run_isolated`.
        schema: `keras_infnet.schema.Schema`.
        raw: boolean. Whether there is a signature of raw values.

    Raises:
        ValueError: If names, shapes or defaults are not those of the schema,
            or if the number of rows is fixed.
    """
    wanted = signatures_of(schema, raw)
    problems = []
    if sorted(signatures) != sorted(wanted):
        problems.append(f"signatures {sorted(signatures)}")
    for name, signature in wanted.items():
        found = signatures.get(name, {})
        inputs = found.get("inputs", {})
        outputs = found.get("outputs", {})
        if sorted(inputs) != sorted(signature.inputs):
            problems.append(f"inputs of {name} {sorted(inputs)}")
        if sorted(outputs) != sorted(signature.outputs):
            problems.append(f"outputs of {name} {sorted(outputs)}")
        if found.get("method") != _METHOD:
            problems.append(f"method of {name} {found.get('method')}")
        if found.get("defaults") != sorted(signature.optional):
            problems.append(f"defaults of {name} {found.get('defaults')}")
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for tensor, info in tensors.items():
                rows = [] if tensor in signature.scalars else [-1]
                if info["shape"][:1] != rows:
                    problems.append(
                        f"shape of {kind} {tensor!r} of {name} {info['shape']}"
                    )
    if problems:
        raise ValueError(
            "the SavedModel does not have the signatures of the schema. "
            f"Received: {'; '.join(problems)}."
        )


def compare(
    cases: list[Case],
    results: list[dict[str, np.ndarray]],
    tolerance: float,
    advice: str | None = None,
) -> dict[str, dict[str, float]]:
    """Measures how far outputs are from what they must be.

    Args:
        cases: list of `Case`.
        results: outputs of every case.
        tolerance: float. Largest difference allowed. Of values beyond 1,
            which regression tasks have, it is a part of the value: float32
            has seven digits.
        advice: string. The end of the error, what to do. `None` is that for
            a SavedModel. Defaults to `None`.

    Returns:
        Largest difference of every signature and task, in the same measure.

    Raises:
        ValueError: If a difference is larger, a shape differs or a value is
            not finite on one side only.
    """
    largest: dict[str, dict[str, float]] = {}
    problems = []
    for case, outputs in zip(cases, results, strict=True):
        worst = largest.setdefault(case.signature, {})
        for task, expected in case.expects(outputs).items():
            found = outputs[task]
            where = f"task {task!r}, signature {case.signature!r}, {case.name}"
            if found.shape != expected.shape:
                problems.append(
                    f"{where}: shape {found.shape} instead of {expected.shape}"
                )
                continue
            differences = _differences(found, expected)
            difference = float(differences.max(initial=0.0))
            worst[task] = max(worst.get(task, 0.0), difference)
            allowed = tolerance + case.allows(outputs).get(task, 0.0)
            if not (differences <= allowed).all():
                problems.append(f"{where}: {difference:.3g}")
    if problems:
        raise ValueError(
            "the exported model does not answer as `predict` does. Largest "
            f"difference allowed: {tolerance:g}. Received:\n  "
            + "\n  ".join(problems)
            + f"\n{advice or _ADVICE}"
        )
    return largest


def _differences(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    if expected.dtype.kind != "f":
        return np.where(found == expected, 0.0, np.inf)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.abs(expected), 1.0)
        difference = np.where(same, 0.0, np.abs(found - expected) / scale)
    # NaN on one side only must not compare as equal.
    return np.where(np.isnan(difference), np.inf, difference)
