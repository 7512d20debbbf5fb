"""The command line, from a table to predictions, and its mistakes."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from keras_infnet import serving
from keras_infnet.cli import main
from keras_infnet.cli.commands import export as export_command
from keras_infnet.data import open_source, write_table
from keras_infnet.data.datasets import synthetic

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables, a drafted schema, settings and a model trained by commands."""
    folder = tmp_path_factory.mktemp("cli")
    data = synthetic.load(num_users=60, num_items=30, num_rows=1_200)
    for name in ("train", "validation", "test"):
        table = getattr(data, name)
        hidden = [c for c in table.columns if c.startswith("true_")]
        write_table(table.without(hidden), folder / f"{name}.parquet")
    here = pathlib.Path.cwd()
    os.chdir(folder)
    try:
        draft = ["schema", "train.parquet", "--label", "click"]
        draft += ["--label", "like", "--group", "user_id"]
        draft += ["--request-time", "time", "--exclude", "purchase"]
        assert main([*draft, "--output", "schema.json"]) == 0
        (folder / "settings.json").write_text(
            json.dumps(
                {
                    "data": {
                        "schema": "schema.json",
                        "train": "train.parquet",
                        "validation": "validation.parquet",
                        "test": "test.parquet",
                    },
                    "model": {
                        "preset": "small",
                        "token_dim": 4,
                        "num_blocks": 1,
                        "tower_dims": [4],
                    },
                    "training": {"batch_size": 128, "epochs": 2},
                    "evaluation": {"baselines": ["logistic_regression"]},
                    "directory": "runs/model",
                }
            )
        )
        assert main(["train", "--config", "settings.json", "--quiet"]) == 0
    finally:
        os.chdir(here)
    return folder


def test_train_leaves_a_model_directory(folder):
    written = {path.name for path in (folder / "runs/model").iterdir()}
    assert written == {
        "config.json",
        "history.csv",
        "metrics.json",
        "model.keras",
        "schema.json",
        "vocabularies.npz",
    }
    history = pd.read_csv(folder / "runs/model/history.csv")
    assert history["epoch"].tolist() == [0, 1]
    assert "val_mean_auc" in history


def test_evaluate_repeats_the_metrics_of_training(folder, capsys):
    output = folder / "metrics.json"
    arguments = ["evaluate", "--model", str(folder / "runs/model")]
    arguments += ["--data", str(folder / "test.parquet")]
    assert main([*arguments, "--output", str(output)]) == 0
    assert "GAUC" in capsys.readouterr().out
    trained = json.loads((folder / "runs/model/metrics.json").read_text())
    found = json.loads(output.read_text())
    assert found["click"]["auc"] == pytest.approx(trained["click"]["auc"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_predict_adds_a_column_a_task(folder, tmp_path, suffix):
    output = tmp_path / f"scores{suffix}"
    arguments = ["predict", "--model", str(folder / "runs/model")]
    arguments += ["--data", str(folder / "test.parquet")]
    assert main([*arguments, "--output", str(output)]) == 0
    test = open_source(folder / "test.parquet").read()
    scores = open_source(output).read()
    assert len(scores) == len(test)
    np.testing.assert_array_equal(scores["user_id"], test["user_id"])
    # The labels are columns of the table already.
    for task in ("click", "like"):
        assert (
            (0 < scores[f"{task}_prediction"])
            & (scores[f"{task}_prediction"] < 1)
        ).all()


def test_export_calibrates_on_validation_rows(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    given = {}

    def export(model, encoder, path, **options):
        given.update(options, path=path)
        return folder / path / "1"

    monkeypatch.setattr(serving, "export", export)
    words = ["export", "--model", "runs/model", "--output", "tiny"]
    words += ["--calibrate", "click=platt", "like=isotonic"]
    assert main([*words, "--negative-rate", "click=0.5"]) == 0
    click, like = given["calibration"].tasks
    assert given["path"] == "tiny" and click.negative_rate == 0.5
    assert isinstance(click.calibrator, serving.Platt)
    assert isinstance(like.calibrator, serving.Isotonic)
    # Not every label of it is observed.
    rows = len(open_source("validation.parquet").read())
    assert click.before.rows == rows > like.before.rows
    assert "click: p / (p + (1 - p) / 0.5)" in capsys.readouterr().out


@pytest.mark.long
def test_a_calibrated_export_predicts(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    target = str(tmp_path / "tiny")
    export = ["export", "--model", "runs/model", "--output", target]
    export += ["--examples", "test.parquet", "--calibrate", "click=platt"]
    assert main([*export, "--negative-rate", "click=0.5"]) == 0
    written = json.loads((tmp_path / "tiny/1/calibration.json").read_text())
    platt = written["tasks"]["click"]["parameters"]
    scores = []
    for source in ("runs/model", target):
        output = str(tmp_path / "scores.parquet")
        arguments = ["predict", "--model", source, "--data", "test.parquet"]
        assert main([*arguments, "--output", output, "--keep", "user_id"]) == 0
        scores.append(pd.read_parquet(output))
    # No column of the same name is kept.
    assert list(scores[0]) == ["user_id", "click", "like"]
    np.testing.assert_allclose(scores[1]["like"], scores[0]["like"], atol=1e-5)
    odds = 0.5 * scores[0]["click"] / (1 - scores[0]["click"])
    odds = odds ** platt["slope"] * np.exp(platt["intercept"])
    np.testing.assert_allclose(scores[1]["click"], odds / (1 + odds), atol=1e-5)


def test_export_to_a_file(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    given = []

    def export_file(model, schema, path, tolerance):
        given.append(({*model.output}, schema.task_names, path, tolerance))
        return path

    monkeypatch.setattr(serving, "export_file", export_file)
    arguments = ["export", "--model", "runs/model", "--output", "x.onnx"]
    assert main(arguments) == 0
    assert main([*arguments, "--tolerance", "0.01"]) == 0
    tasks = ("click", "like")
    assert given == [
        (set(tasks), tasks, "x.onnx", 1e-5),
        (set(tasks), tasks, "x.onnx", 0.01),
    ]
    assert "Exported: x.onnx" in capsys.readouterr().out
    assert main([*arguments, "--fusion", "click", "--jit-compile"]) == 2
    message = "--fusion, --jit-compile"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--calibrate", "plat"], "'platt'"),
        (["--calibrate", "platt", "isotonic"], "Received: platt isotonic"),
        (
            ["--calibrate", "click=platt", "click=platt"],
            "Received: click=platt click=platt",
        ),
        (["--negative-rate", "click=a"], "Received: 'a'"),
        (["--negative-rate", "0"], "Received: 0"),
        (["--rows-sampled"], "--rows-sampled"),
        (["--calibration-rows", "x"], "--calibration-rows"),
        (["--calibrate", "platt", "--calibration-rows", "x.csv"], "x.csv"),
    ],
)
def test_mistakes_of_calibration(folder, monkeypatch, capsys, words, message):
    monkeypatch.chdir(folder)
    arguments = ["export", "--model", "runs/model", "--output", "served"]
    assert main([*arguments, *words]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "served").exists()


def test_calibration_without_validation_rows(folder, tmp_path, capsys):
    shutil.copytree(folder / "runs/model", tmp_path / "model")
    config = tmp_path / "model/config.json"
    settings = json.loads(config.read_text())
    del settings["data"]["validation"]
    config.write_text(json.dumps(settings))
    arguments = ["export", "--model", str(tmp_path / "model"), "--output", "x"]
    arguments += ["--calibrate", "platt"]
    assert main(arguments) == 2
    assert "trained without validation rows" in capsys.readouterr().err
    config.unlink()
    assert main(arguments) == 2
    assert "--calibration-rows TABLE" in capsys.readouterr().err


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


def test_a_folder_that_cannot_be_made_is_the_error(
    tmp_path, monkeypatch, capsys
):
    def read_only(path, *arguments, **options):
        if pathlib.Path(path).parent == tmp_path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        raise FileNotFoundError(errno.ENOENT, "No such file", str(path))

    def export(options):
        monkeypatch.setattr(os, "mkdir", read_only)
        pathlib.Path(options.output, "1").mkdir(parents=True)

    monkeypatch.setattr(export_command, "run", export)
    output = tmp_path / "served"
    assert main(["export", "--model", "none", "--output", str(output)]) == 2
    printed = capsys.readouterr().err
    assert "Read-only file system" in printed
    assert str(output) in printed and "No such file" not in printed


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


@pytest.mark.long
def test_training_says_nothing_of_tensorflow_under_jax(tmp_path):
    program = pathlib.Path(sys.executable).parent / "keras-infnet"
    if not program.exists():
        pytest.skip("the package is not installed")
    settings = {
        "directory": "run",
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": 200, "num_users": 20},
        },
        "model": {"name": "SharedBottom", "preset": "small"},
    }
    (tmp_path / "tiny.json").write_text(json.dumps(settings))
    result = subprocess.run(
        [str(program), "train", "--backend", "jax", "--config", "tiny.json"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("TF_")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_compare_writes_its_tables(tmp_path, capsys):
    settings = {
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": 400, "num_users": 30, "num_items": 20},
        },
        "models": [{"name": "FM", "embedding_dim": 2}],
        "evaluation": {"baselines": ["logistic_regression"]},
    }
    config = tmp_path / "compare.json"
    config.write_text(json.dumps(settings))
    folder = tmp_path / "kept"
    arguments = ["compare", "--config", str(config), "--directory", str(folder)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "[1/2] FM, seed 0" in said and "less FM" in said
    assert (folder / "comparison.md").exists()
    page = (folder / "comparison.html").read_text("utf-8")
    assert "FM: training loss" in page or "is not kept of FM" in page
    # A second time nothing is trained.
    assert main(arguments) == 0
    again = capsys.readouterr().out
    assert "seed 0" not in again and "logistic_regression" in again
    settings["models"][0]["embeding_dim"] = 3
    config.write_text(json.dumps(settings))
    assert main(arguments) == 2
    assert "'embedding_dim'" in capsys.readouterr().err


def test_sweep_finds_settings_that_train_takes(tmp_path, monkeypatch, capsys):
    pytest.importorskip("keras_tuner", reason="needs the extra `sweep`")
    monkeypatch.chdir(tmp_path)
    settings = {
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": 400, "num_users": 30, "num_items": 20},
        },
        "model": {"name": "FM", "embedding_dim": 2},
        "sweep": {"space": {"model.dropout": {"low": 0, "high": 0.5}}},
    }
    config = tmp_path / "sweep.json"
    config.write_text(json.dumps(settings))
    arguments = ["sweep", "--config", "sweep.json", "--directory", "swept"]
    assert main([*arguments, "--trials", "1"]) == 0
    said = capsys.readouterr().out
    assert "trial 1/1: the settings as they are (dropout 0)" in said
    # A second time one trial is left to do.
    assert main([*arguments, "--trials", "2"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 trials are done" in said and "trial 1/2" not in said
    assert "trial 2/2: dropout 0." in said
    # KerasTuner says nothing of its own.
    assert "Search:" not in said and "Reloading" not in said
    best = json.loads((tmp_path / "swept/sweep.json").read_text())["best"]
    table = said[said.index("trial  mean AUC") :].splitlines()
    assert table[1].split()[0] == str(best)
    assert "keras-infnet train --config swept/best.json" in table[-1]
    assert main(["train", "--config", "swept/best.json", "--quiet"]) == 0
    trained = json.loads((tmp_path / "swept/best/config.json").read_text())
    wanted = json.loads((tmp_path / "swept/best.json").read_text())
    assert trained["model"] == wanted["model"]
    capsys.readouterr()
    for words, message in (
        (["--trials", "0"], "trials must be positive"),
        (["--trials", "2", "--data", "x"], "'path'"),
    ):
        assert main([*arguments, *words]) == 2
        assert message in capsys.readouterr().err
    settings["model"]["embedding_dim"] = 3
    config.write_text(json.dumps(settings))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "model.embedding_dim was 2 and is 3" in said


def test_another_backend_than_the_one_loaded(capsys):
    import keras

    other = "torch" if keras.backend.backend() != "torch" else "jax"
    arguments = ["schema", "x.csv", "--label", "y", "--backend", other]
    assert main(arguments) == 2
    assert f"KERAS_BACKEND={other}" in capsys.readouterr().err
