"""`compare` and `sweep`."""

import json

import pytest

from keras_infnet.cli import main

pytestmark = pytest.mark.slow


def test_compare_writes_its_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
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
    arguments = ["compare", "--config", "compare.json", "--directory", "kept"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "[1/2] FM" in said and "logistic_regression" in said
    assert "task      labels  positive" in said and "\nepoch 1/1  loss " in said
    assert max(map(len, said.splitlines())) <= 100
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
    assert "trial 1/1" in said and "(dropout 0)" in said
    assert "\nepoch 1/1  loss " in said
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
        (["--trials", "0"], "trials"),
        (["--trials", "2", "--data", "x"], "'path'"),
    ):
        assert main([*arguments, *words]) == 2
        assert message in capsys.readouterr().err
    settings["model"]["embedding_dim"] = 3
    config.write_text(json.dumps(settings))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "model.embedding_dim was 2 and is 3" in said
