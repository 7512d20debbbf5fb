"""The backend that is there is chosen, unless the user has chosen one."""

import json
import os
import subprocess
import sys

import pytest

HIDE = """
import importlib.machinery, os, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            return None
        return super().find_spec(name, path, target)

place = sys.meta_path.index(importlib.machinery.PathFinder)
sys.meta_path[place] = Finder
"""
# The program imports Keras late; until then the choice is in a variable.
CHOICE = """
sys.argv = ["keras-infnet"]
import keras_infnet
assert "keras" not in sys.modules
print(os.environ.get("KERAS_BACKEND"))
"""
IMPORT = """
import keras_infnet
import keras
print(keras.backend.backend(), keras_infnet.models.INFNet.__name__)
"""
PROGRAM = """
sys.argv = ["keras-infnet"]
from keras_infnet.cli import main
assert main(["schema", "missing.csv", "--label", "click"]) == 2
import keras
print(keras.backend.backend())
"""


def run(code, hidden, home, configured=None, **variables):
    if configured is not None:
        (home / "keras.json").write_text(json.dumps({"backend": configured}))
    environment = {**os.environ, "KERAS_HOME": str(home), **variables}
    if "KERAS_BACKEND" not in variables:
        environment.pop("KERAS_BACKEND", None)
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            HIDE.format(hidden=hidden) + code,
        ],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip()


@pytest.mark.parametrize(
    "hidden, configured, expected",
    [
        ([], None, "None"),
        (["tensorflow", "torch"], None, "jax"),
        (["tensorflow", "jax"], None, "torch"),
        (["tensorflow"], "torch", "None"),
        # Keras writes that by itself when it is imported first.
        (["tensorflow"], "tensorflow", "jax"),
        (["tensorflow", "jax", "torch"], None, "None"),
    ],
    ids=str,
)
def test_the_choice(tmp_path, hidden, configured, expected):
    assert run(CHOICE, hidden, tmp_path, configured) == expected


def test_a_variable_stays(tmp_path):
    hidden = ["tensorflow", "torch"]
    found = run(CHOICE, hidden, tmp_path, KERAS_BACKEND="torch")
    assert found == "torch"


@pytest.mark.parametrize("code", [IMPORT, PROGRAM], ids=["import", "program"])
def test_import_and_program_with_pytorch_alone(tmp_path, code):
    hidden = ["tensorflow", "jax"]
    assert run(code, hidden, tmp_path).split()[0] == "torch"
