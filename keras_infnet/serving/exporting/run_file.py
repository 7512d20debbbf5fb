"""Runs a model file, where neither this package nor Keras is loaded.

`python -I run_file.py FILE CASES RESULTS PROBLEM` takes an `.npz` file of
inputs named `{case}/{input}`; outputs go to `RESULTS` as `{case}/{output}`.
What the runtime refuses goes to `PROBLEM`.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["main", "model_function"]


def model_function(path: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Loads a file as a function of inputs by name to outputs by name."""
    if path.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def run(inputs: Mapping[str, Any]) -> dict[str, Any]:
            # Models need not read all of their inputs.
            known = {i.name: inputs[i.name] for i in session.get_inputs()}
            return dict(zip(names, session.run(None, known), strict=True))

        return run
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner()
    known = runner.get_input_details()
    return lambda inputs: runner(**{name: inputs[name] for name in known})


def main(path: str, cases_path: str, results_path: str, problem: str) -> None:
    """Runs all cases; says in the file `problem` where the runtime fails."""
    import numpy as np

    cases: dict[str, dict[str, Any]] = {}
    with np.load(cases_path, allow_pickle=False) as file:
        for name in file.files:
            case, _, column = name.rpartition("/")
            cases.setdefault(case, {})[column] = file[name]
    try:
        run = model_function(path)
        results = {
            f"{case}/{name}": array
            for case, inputs in cases.items()
            for name, array in run(inputs).items()
        }
    except Exception as error:
        # Runtimes have kinds of errors of their own, and RuntimeError.
        text = f"{type(error).__name__}: {error}"
        Path(problem).write_text(text, encoding="utf-8")
        return
    np.savez(results_path, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
