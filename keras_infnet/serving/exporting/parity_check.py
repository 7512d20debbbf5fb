"""Comparison of an exported model with the model it was made from."""

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.serving.exporting import run_export
from keras_infnet.serving.exporting.worker_process import run_in_worker
from keras_infnet.serving.graph.signatures import INDEX, SCORE, signatures_of

__all__ = [
    "BestCase",
    "Case",
    "check_signatures",
    "compare",
    "run_isolated",
    "widened",
]

_METHOD = "tensorflow/serving/predict"
_ADVICE = (
    "Nothing was exported. Mixed precision and tables in few bits round "
    "coarsely: pass a larger `tolerance`. If only the signatures for ranking "
    "differ, export with `candidates=()`. Otherwise the model does something "
    "that a graph does not repeat: please report it."
)

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """Inputs of one request and the outputs that it must have.

    `name` contains no slash. `slack` is the difference that outputs may have
    in addition to a tolerance.
    """

    name: str
    signature: str
    inputs: Arrays
    expected: Arrays
    slack: Arrays = dataclasses.field(default_factory=dict)

    def expects(self, outputs: Arrays) -> Arrays:
        """Returns what outputs must be, given those received."""
        return self.expected

    def allows(self, outputs: Arrays) -> Arrays:
        """Returns the slack of these outputs, in the form of `expects`."""
        return self.slack


class BestCase(Case):
    """A request for the best candidates; `expected` holds all of them.

    Rounding may swap two candidates of nearly the same score. So scores must
    be the best ones in order, and all other outputs must be those of the
    candidates returned.
    """

    def expects(self, outputs: Arrays) -> Arrays:
        scores = self.expected[SCORE]
        count = min(int(self.inputs["k"]), len(scores))
        best = np.sort(scores)[::-1][:count]
        places = outputs[INDEX]
        distinct = np.unique(places)
        if (
            len(distinct) != count
            or places.shape != (count,)
            or (count and (distinct[0] < 0 or distinct[-1] >= len(scores)))
        ):
            return {INDEX: np.argsort(-scores, kind="stable")[:count]}
        wanted = {name: all_[places] for name, all_ in self.expected.items()}
        return {**wanted, SCORE: best}

    def allows(self, outputs: Arrays) -> Arrays:
        if not self.slack or SCORE not in self.expects(outputs):
            return {}
        found = {n: all_[outputs[INDEX]] for n, all_ in self.slack.items()}
        # Sorting moves a score by no more than the largest change of any.
        return {**found, SCORE: self.slack[SCORE].max(initial=0.0)}


def widened(cases: list[Case], nearby: Iterable[list[Case]]) -> list[Case]:
    """Gives cases the slack that a steep calibration needs.

    It can turn rounding differences of predictions into larger differences
    of outputs. Each list of `nearby` holds the same cases for slightly
    different predictions of one task; the slack of a case is the sum of all
    changes.
    """
    slacks: list[dict[str, np.ndarray]] = [{} for _ in cases]
    for others in nearby:
        for case, other, slack in zip(cases, others, slacks, strict=True):
            for name, expected in case.expected.items():
                if expected.dtype.kind == "f":
                    with np.errstate(invalid="ignore"):
                        change = np.abs(other.expected[name] - expected)
                    # NaN and infinities stay what they are.
                    change = np.where(np.isnan(change), 0.0, change)
                    slack[name] = slack.get(name, 0.0) + change
    return [
        dataclasses.replace(case, slack=slack)
        for case, slack in zip(cases, slacks, strict=True)
    ]


def run_isolated(
    path: Path,
    cases: list[Case],
    what: str = "running the exported model without keras_infnet",
) -> tuple[dict[str, Any], list[dict[str, np.ndarray]]]:
    """Runs cases in a process that cannot import this package.

    Returns the report of `run_export`, and the outputs of every case. Raises
    `RuntimeError` if the model cannot be loaded or run.
    """
    inputs = {}
    for case in cases:
        for name, array in case.inputs.items():
            if array.dtype.kind == "O":
                # Text of a fixed width needs no pickling.
                array = array.astype(np.str_)
            inputs[f"{case.name}/{case.signature}/{name}"] = array
    source = Path(str(run_export.__file__)).read_text("utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        paths = [Path(temporary, f"{n}.npz") for n in ("cases", "results")]
        # mypy takes the names for arguments of `savez`.
        np.savez(paths[0], **inputs)  # type: ignore[arg-type]
        with run_in_worker(
            # The suffix gives each runtime a separate process.
            ("-I", "-c", source, path.suffix),
            [str(p.resolve()) for p in (path, *paths)],
            what,
        ):
            pass
        with np.load(paths[1], allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    results = [
        {
            name.rpartition("/")[2]: array
            for name, array in found.items()
            if name.startswith(f"{case.name}/{case.signature}/")
        }
        for case in cases
    ]
    return json.loads(str(found["report"])), results


def check_signatures(
    signatures: Mapping[str, Any], schema: Schema, raw: bool
) -> None:
    """Raises `ValueError` unless the signatures match the schema.

    `signatures` come from a report of `run_isolated`. `raw` is whether the
    export should have signatures that take raw values.
    """
    wanted = signatures_of(schema, raw)
    problems = []
    if sorted(signatures) != sorted(wanted):
        problems.append(f"signatures {sorted(signatures)}")
    for name, signature in wanted.items():
        found = signatures.get(name, {})
        inputs = found.get("inputs", {})
        outputs = found.get("outputs", {})
        for what, received, expected in (
            ("inputs", sorted(inputs), sorted(signature.inputs)),
            ("outputs", sorted(outputs), sorted(signature.outputs)),
            ("method", found.get("method"), _METHOD),
            ("defaults", found.get("defaults"), sorted(signature.optional)),
        ):
            if received != expected:
                problems.append(f"{what} of {name} {received}")
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for tensor, shape in tensors.items():
                rows = [] if tensor in signature.scalars else [-1]
                if shape[:1] != rows:
                    problems.append(
                        f"shape of {kind} {tensor!r} of {name} {shape}"
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
    advice: str = _ADVICE,
) -> dict[str, dict[str, float]]:
    """Returns the largest difference of every signature and task.

    Differences are absolute up to a value of 1 and relative above, where
    regression tasks may be: float32 has seven digits. Raises `ValueError`,
    which ends with `advice`, if one is larger than `tolerance`, if shapes
    differ or if a value is finite on one side only.
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
            + f"\n{advice}"
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
