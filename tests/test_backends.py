"""Everything that does not depend on the backend, on the other backends.

A process has one backend. This one has the backend of `KERAS_BACKEND`, by
default TensorFlow; the others run the same tests in processes of their own.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from other_processes import environment_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
# A process each: JAX keeps what it compiles, and thousands of small programs
# are more than a process may map into its memory.
GROUPS = {
    "layers": ("layers", "losses", "metrics"),
    "models": ("models",),
    "training": ("optimizers", "training"),
}
RUNNING = "KERAS_INFNET_BATTERY"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(RUNNING in os.environ, reason="runs already"),
]


def folders(rooms):
    return [
        folder
        for room in rooms
        for folder in (f"tests/{room}", f"keras_infnet/{room}")
        if any((ROOT / folder).glob("*.py"))
    ]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_rooms_that_know_keras_alone(backend, group):
    if backend == keras.backend.backend():
        pytest.skip("is the backend of this process")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = environment_of(backend, **{RUNNING: "1"})
    # Options such as `-n 2` are meant for the process that reads them.
    environment.pop("PYTEST_ADDOPTS", None)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rfE"),
            *("-p", "no:cacheprovider", "--durations=10"),
            *folders(GROUPS[group]),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(result.stdout[-2000:])
    assert result.returncode == 0, f"\n{result.stdout[-8000:]}"
