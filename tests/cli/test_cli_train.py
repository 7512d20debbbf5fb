"""`train`, `evaluate` and `predict`, from a table to predictions."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from keras_infnet.cli import main
from keras_infnet.data import open_source

pytestmark = pytest.mark.slow


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


def test_train_keeps_a_finished_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = pathlib.Path("runs/model/model.keras").read_bytes()
    assert main(["train", "--config", "settings.json"]) == 2
    error = capsys.readouterr().err
    assert "runs/model" in error and "--overwrite" in error
    assert pathlib.Path("runs/model/model.keras").read_bytes() == before


def test_train_reports_labels_and_one_line_per_epoch(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    words = ["train", "--config", "settings.json"]
    words += ["--directory", str(tmp_path / "model")]
    assert main(words) == 0
    said = capsys.readouterr().out
    labels = open_source("train.parquet").read()
    for task in ("click", "like"):
        count = np.isfinite(labels[task]).sum()
        assert f"{task} {count:>12,}"[-4:] in said
    epochs = [x for x in said.splitlines() if x.startswith("epoch ")]
    assert len(epochs) == 2 and "val AUC mean" in epochs[0]
    lines = said.replace(str(tmp_path), "runs").splitlines()
    assert max(map(len, lines)) <= 100
    assert main([*words, "--overwrite", "--verbose"]) == 0
    said = capsys.readouterr().out
    assert "val_click_log_loss" in said and "epoch 1/2  loss" not in said
