"""Settings that name a model class of the user by its import path."""

import json
import os
import subprocess
import sys

import pytest
from small_comparisons import CONFIG as COMPARISON
from small_sweeps import CONFIG as SWEEP
from small_sweeps import settings as sweep_settings

from keras_infnet.cli import main
from keras_infnet.experiments import (
    ComparisonSettings,
    ExperimentSettings,
    compare,
    sweep,
)

NAME = "own_ranking_models:MyNet"
SOURCE = """
import keras
from keras_infnet.models import FM

@keras.saving.register_keras_serializable("own_ranking_models")
class MyNet(FM):
    presets = {"wide": {"embedding_dim": 6}}
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_ranking_models.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


def test_train(tmp_path, monkeypatch):
    config = {
        "data": SWEEP["data"],
        "model": {"name": NAME, "embedding_dim": 2},
        "training": {"batch_size": 256},
        "directory": str(tmp_path / "model"),
    }
    (tmp_path / "train.json").write_text(json.dumps(config))
    assert main(["train", "--config", str(tmp_path / "train.json")]) == 0
    kept = json.loads((tmp_path / "model/config.json").read_text())
    assert kept["model"]["name"] == NAME
    # Another process imports the class by its path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    code = (
        "import sys\n"
        "from keras_infnet.serving import load_model_directory\n"
        "model, _ = load_model_directory(sys.argv[1])\n"
        "print(type(model).__module__)"
    )
    program = [sys.executable, "-W", "ignore", "-c", code]
    printed = subprocess.run(
        [*program, str(tmp_path / "model")],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert printed.split() == ["own_ranking_models"]


def test_compare(tmp_path, untrained):
    """A preset of the class is resolved."""
    config = {
        **COMPARISON,
        "models": [
            {"name": NAME, "preset": "wide", "label": "mine"},
            {"name": NAME, "embedding_dim": 2},
        ],
        "directory": str(tmp_path / "kept"),
    }
    found = compare(ComparisonSettings.from_dict(config), lambda _: None)
    assert [m.label for m in found.models[:2]] == ["mine", NAME]
    assert len(untrained) == 4
    experiment, _ = untrained[0]
    assert experiment.spelled_out_model == {"name": NAME, "embedding_dim": 6}


def test_sweep(tmp_path, quick):
    chosen = sweep_settings(
        tmp_path / "kept",
        {"model.embedding_dim": {"low": 2, "high": 9}},
        model={"name": NAME},
        trials=3,
    )
    found = sweep(chosen, lambda _: None)
    assert len(found.trials) == 3
    assert found.best_settings["model"]["name"] == NAME


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "own_ranking_models:MyNt"}, "MyNt.*Did you mean 'MyNet'"),
        ({"name": "no_such_module:MyNet"}, "no module 'no_such_module'"),
        ({"name": NAME, "preset": "wid"}, "Did you mean 'wide'"),
        ({"name": NAME, "embeding_dim": 2}, "Did you mean 'embedding_dim'"),
    ],
)
def test_mistakes(model, message):
    config = {"data": {"dataset": "synthetic"}, "model": model}
    with pytest.raises(ValueError, match=message):
        ExperimentSettings.from_dict(config)
