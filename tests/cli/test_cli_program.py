"""Mistakes, the choice of the backend, and commands without Keras."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_infnet.cli import main
from keras_infnet.data import open_source, write_table

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--model", "nowhere", "--data", "x.csv"], "nowhere"),
        (
            ["predict", "--model", "runs/model", "--data", "test.parquet"]
            + ["--output", "scores.txt"],
            ".parquet or .csv",
        ),
        (
            ["predict", "--model", "runs/model", "--data", "test.parquet"]
            + ["--output", "s.csv", "--keep", "user"],
            "'user_id'",
        ),
        (
            ["schema", "train.parquet", "--label", "clik"],
            "'click'",
        ),
        (["train", "--config", "settings.yaml"], ".toml or .json"),
        (
            ["predict", "--model", "runs/model", "--data", "bad.parquet"]
            + ["--output", "s.csv"],
            "bad.parquet",
        ),
        (
            ["evaluate", "--model", "runs/model", "--data", "lacking.parquet"],
            "category",
        ),
        (
            ["evaluate", "--model", "runs/model", "--data", "wrong.parquet"],
            "click",
        ),
    ],
)
def test_mistakes_are_one_line(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    whole = (folder / "test.parquet").read_bytes()
    (folder / "bad.parquet").write_bytes(whole[: len(whole) // 2])
    test = open_source("test.parquet").read()
    write_table(test.without(["category"]), "lacking.parquet")
    labels = np.where(np.arange(len(test)) == 3, 7, test["click"])
    write_table(test.with_columns({"click": labels}), "wrong.parquet")
    before = sorted(path.name for path in folder.rglob("*"))
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-infnet: error: ")
    assert message in error
    assert "Traceback" not in error
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize("module", [False, True])
def test_the_program_chooses_the_backend(tmp_path, module):
    program = pathlib.Path(sys.executable).parent / "keras-infnet"
    if not module and not program.exists():
        pytest.skip("the package is not installed")
    start = [sys.executable, "-m", "keras_infnet.cli"]
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    result = subprocess.run(
        [
            *(start if module else [str(program)]),
            *("train", "--backend", "jax", "--config", "x.toml"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("keras-infnet: error: ")
    assert "x.toml" in result.stderr


def test_another_backend_than_the_one_loaded(capsys):
    import keras

    other = "torch" if keras.backend.backend() != "torch" else "jax"
    arguments = ["schema", "x.csv", "--label", "y", "--backend", other]
    assert main(arguments) == 2
    assert f"KERAS_BACKEND={other}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--help"], "serving-config"),
        (["settings"], "[training.flow_search]"),
        (["serving-config", "--model", "none"], "none"),
        (["train", "--config", "typo.toml"], "'epochs'"),
        (["compare", "--config", "typo.toml"], "'epochs'"),
        (["sweep", "--config", "typo.toml"], "'epochs'"),
        (["train", "--config", "model.toml"], "'token_dim'"),
        (["train", "--config", "nothing.toml"], "your_own_table"),
        (
            ["predict", "--model", "m", "--data", "d", "--output", "x.txt"],
            ".csv",
        ),
    ],
)
def test_what_computes_nothing_leaves_keras_alone(tmp_path, words, message):
    data = '[data]\ndataset = "synthetic"\n'
    (tmp_path / "typo.toml").write_text(f"{data}[training]\nepoch = 2\n")
    (tmp_path / "model.toml").write_text(f"{data}[model]\ntoken_dmi = 2\n")
    code = (
        "import sys\n"
        "sys.argv = ['keras-infnet', *sys.argv[1:]]\n"
        "from keras_infnet.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    slow = {'keras', 'tensorflow', 'jax', 'torch', 'pandas'}\n"
        "    assert not slow & sys.modules.keys()\n"
        "    print('no backend')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert message in result.stdout + result.stderr
    assert result.stdout.endswith("no backend\n")
    assert "Traceback" not in result.stderr


def test_an_unknown_backend_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "nope")
    assert main(["schema", "x.csv", "--label", "y"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-infnet: error: KERAS_BACKEND")
    assert "'nope'" in error and error.count("\n") == 1
