"""`export`: options, calibration and files."""

import errno
import json
import os
import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest

from keras_infnet import serving
from keras_infnet.cli import main
from keras_infnet.cli.commands import export as export_command
from keras_infnet.data import open_source

pytestmark = pytest.mark.slow


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
