"""Comparison of an exported model with the model it was made from."""

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.serving.exporting import run_saved_model
from keras_infnet.serving.exporting.python_process import lasting_python
from keras_infnet.serving.graph.signatures import INDEX, SCORE, signatures_of

__all__ = [
    "BestCase",
    "Case",
    "check_signatures",
    "compare",
    "load_outputs",
    "run_isolated",
    "save_inputs",
    "widened",
]

_METHOD = "tensorflow/serving/predict"
_ADVICE = (
    "Nothing was exported. Mixed precision and tables of few bits round "
    "coarsely: give a larger `tolerance`. If the signatures for ranking differ "
    "alone, export with `candidates=()`. Otherwise the model does something "
    "that a graph does not repeat: please report it."
)


@dataclasses.dataclass(frozen=True)
class Case:
    """Inputs of one call and the outputs it must have.

    `name` says what is tried, without a slash. Inputs that are left out take
    their default. `slack` is what outputs may differ by beside a tolerance.
    """

    name: str
    signature: str
    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    slack: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def expects(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns what outputs must be, knowing what was received."""
        return self.expected

    def allows(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns the slack of these outputs, in the form of `expects`."""
        return self.slack


class BestCase(Case):
    """A call that returns the best candidates, `expected` holding all.

    Rounding may change the order of two that are nearly level. So scores must
    be the best ones in order, and everything else that of the places that
    were returned.
    """

    def expects(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
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

    def allows(
        self, outputs: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        """Returns the slack of these outputs, in the form of `expects`."""
        if not self.slack or SCORE not in self.expects(outputs):
            return {}
        found = {n: all_[outputs[INDEX]] for n, all_ in self.slack.items()}
        # Sorting moves no place by more than the largest change of any.
        return {**found, SCORE: self.slack[SCORE].max(initial=0.0)}


def widened(cases: list[Case], nearby: Iterable[list[Case]]) -> list[Case]:
    """Allows cases the answers that predictions nearby have.

    A calibration can be steep: predictions that differ by rounding alone then
    have answers that differ by more. Each list of `nearby` holds the same
    cases, as if one task had predicted something else; the slack of a case is
    the sum of all changes.
    """
    slacks: list[dict[str, np.ndarray]] = [{} for _ in cases]
    for others in nearby:
        for case, other, slack in zip(cases, others, slacks, strict=True):
            for name, expected in case.expected.items():
                if expected.dtype.kind == "f":
                    with np.errstate(invalid="ignore"):
                        change = np.abs(other.expected[name] - expected)
                    # What is no number or infinite is so nearby, too.
                    change = np.where(np.isnan(change), 0.0, change)
                    slack[name] = slack.get(name, 0.0) + change
    return [
        dataclasses.replace(case, slack=slack)
        for case, slack in zip(cases, slacks, strict=True)
    ]


def run_isolated(
    folder: Path, cases: list[Case]
) -> tuple[dict[str, Any], list[dict[str, np.ndarray]]]:
    """Runs cases in a process that cannot import this package.

    Returns what the signatures declare, and the outputs of every case. Raises
    `RuntimeError` if the model cannot be loaded or run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        paths = [Path(temporary, f"{n}.npz") for n in ("cases", "results")]
        save_inputs(paths[0], cases)
        source = Path(str(run_saved_model.__file__)).read_text("utf-8")
        with lasting_python(
            ("-I", "-c", source),
            [str(path.resolve()) for path in (folder, *paths)],
            "running the exported model without keras_infnet",
        ):
            pass
        with np.load(paths[1], allow_pickle=False) as file:
            signatures = json.loads(str(file["signatures"]))
        return signatures, load_outputs(paths[1], cases)


def save_inputs(path: Path, cases: list[Case]) -> None:
    """Writes inputs for another process, as `{case}/{signature}/{input}`."""
    inputs = {}
    for case in cases:
        for name, array in case.inputs.items():
            if array.dtype.kind == "O":
                # Without pickling: text of a fixed width.
                array = array.astype(np.str_)
            inputs[f"{case.name}/{case.signature}/{name}"] = array
    # Typed as if a name could be that of an argument.
    np.savez(path, **inputs)  # type: ignore[arg-type]


def load_outputs(path: Path, cases: list[Case]) -> list[dict[str, np.ndarray]]:
    """Reads the outputs of every case, named as the inputs of `save_inputs`."""
    with np.load(path, allow_pickle=False) as file:
        outputs = {name: file[name] for name in file.files}
    return [
        {
            name.rpartition("/")[2]: array
            for name, array in outputs.items()
            if name.startswith(f"{case.name}/{case.signature}/")
        }
        for case in cases
    ]


def check_signatures(
    signatures: Mapping[str, Any], schema: Schema, raw: bool
) -> None:
    """Raises `ValueError` unless signatures are those of the schema.

    `signatures` are as `run_isolated` describes them: names, shapes with free
    rows, and defaults. `raw` is whether there are some of raw values.
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

    Differences of values beyond 1, which regression tasks have, are taken as
    a part of the value: float32 has seven digits. Returns the largest one of
    every signature and task. Raises `ValueError`, which ends with `advice`,
    if one is larger than `tolerance`, a shape differs or a value is not
    finite on one side only.
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
