"""Measurements in a fresh process.

`python -m keras_infnet.benchmarks.subprocess_measurement MODULE:FUNCTION
ARGUMENTS` calls a function with keyword arguments from JSON, and prints its
result as the last line, as JSON.
"""

import importlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_infnet import version

__all__ = ["call_in_child", "main"]

_LINES = 20


def call_in_child(function: str, arguments: Mapping[str, Any]) -> Any:
    """Calls a function in a new process with the same backend."""
    package = str(pathlib.Path(version.__file__).parents[1])
    paths = [package, os.environ.get("PYTHONPATH")]
    result = subprocess.run(
        [sys.executable, "-m", __name__, function, json.dumps(arguments)],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if result.returncode:
        said = (result.stdout + result.stderr).splitlines()[-_LINES:]
        raise RuntimeError(
            f"the process that ran {function} ended with status "
            f"{result.returncode} (-9 may mean out of memory). "
            "Its output ends with:\n" + "\n".join(said)
        )
    return json.loads(result.stdout.splitlines()[-1])


def main(arguments: Sequence[str]) -> None:
    """Calls the function and prints its result."""
    module, _, name = arguments[0].partition(":")
    function = getattr(importlib.import_module(module), name)
    print(json.dumps(function(**json.loads(arguments[1]))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
