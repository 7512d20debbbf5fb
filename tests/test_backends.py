"""A run of everything reports the tests of the other backends as its own."""

import os
import subprocess
import sys

import pytest

TEST = """
import os

import pytest

def test_of_layers():
    assert os.environ["KERAS_BACKEND"] != "torch", "broken on torch"

def test_of_losses():
    if os.environ["KERAS_BACKEND"] == "{crashing}":
        os._exit(9)

@pytest.mark.skipif(
    os.environ["KERAS_BACKEND"] == "jax", reason="not on jax"
)
def test_skipped_on_jax():
    pass
"""


@pytest.fixture
def run(tmp_path):
    """Runs a small suite as `python -m pytest` does; returns what it says."""

    def run(*arguments, crashing="", missing="", **variables):
        (tmp_path / "tests/layers").mkdir(parents=True)
        (tmp_path / "tests/layers/test_layers.py").write_text(
            TEST.format(crashing=crashing)
        )
        (tmp_path / "conftest.py").write_text(
            f'import sys\nsys.modules["{missing}"] = None\n'
            'pytest_plugins = ["other_backends"]\n'
        )
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\ntestpaths = tests\naddopts = -n auto\n"
        )
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-rfs", "-s", *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "KERAS_BACKEND": "tensorflow",
                "PYTEST_ADDOPTS": "",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **variables,
            },
            capture_output=True,
            text=True,
        )
        return result.returncode, result.stdout

    return run


@pytest.mark.parametrize("option", ["-q", "-v"])
def test_failures_on_another_backend_are_failures(run, option):
    status, text = run(option)
    assert status == 1, text
    assert "1 failed, 7 passed, 1 skipped" in text
    assert "not on jax" in text
    assert "[torch] tests/layers/test_layers.py::test_of_layers" in text
    assert "broken on torch" in text


def test_a_crash_is_a_failure_and_a_missing_backend_is_skipped(run):
    status, text = run("-n", "0", crashing="jax", missing="torch")
    assert status == 1, text
    assert "[jax] process" in text and "exit status 9" in text
    assert "test_of_losses" in text  # the last line of its log
    assert "torch is not installed" in text
    assert "1 failed, 4 passed, 1 skipped" in text


@pytest.mark.parametrize(
    "arguments",
    [["tests/layers"], ["tests/layers/test_layers.py"], ["-k", "layers"]],
    ids=str,
)
def test_a_part_of_the_tests_is_one_process(run, arguments):
    status, text = run(*arguments)
    assert status == 0, text
    assert "3 passed" in text and "workers" not in text
