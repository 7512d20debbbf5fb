"""Settings files: unknown keys, contradictions, the files that ship."""

import json
import pathlib

import pytest

from keras_infnet.experiments import ExperimentSettings, load_settings
from keras_infnet.models import INFNet

CONFIGS = sorted(
    (pathlib.Path(__file__).resolve().parents[2] / "examples/configs").glob(
        "*.toml"
    )
)
SYNTHETIC = {"data": {"dataset": "synthetic"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_settings_that_ship(path):
    settings = ExperimentSettings.from_dict(load_settings(path))
    # What is written to config.json is plain data and reads back.
    again = json.loads(json.dumps(settings.to_dict()))
    assert ExperimentSettings.from_dict(again) == settings


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no \\[data\\] section"),
        ({**SYNTHETIC, "trainig": {}}, "Did you mean 'training'"),
        ({"data": {"datset": "synthetic"}}, "Did you mean 'dataset'"),
        ({"data": {"dataset": "sinthetic"}}, "Did you mean 'synthetic'"),
        (
            {"data": {"dataset": "synthetic", "options": {"rows": 5}}},
            "unknown option 'rows'.*num_rows",
        ),
        (
            {"data": {"dataset": "synthetic", "train": "a.csv"}},
            "both `dataset` and `train`",
        ),
        ({"data": {"schema": "schema.json"}}, "Missing: train"),
        (
            {**SYNTHETIC, "model": {"name": "INFNett"}},
            "Did you mean 'INFNet'",
        ),
        (
            {**SYNTHETIC, "model": {"token_dims": 3}},
            "Did you mean 'token_dim'",
        ),
        ({**SYNTHETIC, "model": {"preset": "bse"}}, "Did you mean 'base'"),
        (
            {**SYNTHETIC, "training": {"batchsize": 3}},
            "Did you mean 'batch_size'",
        ),
        ({**SYNTHETIC, "training": {"epochs": 0}}, "epochs must be"),
        ({**SYNTHETIC, "training": {"seeds": []}}, "seeds must be"),
        ({**SYNTHETIC, "training": 3}, "must be a table"),
        (
            {**SYNTHETIC, "training": {"dtype_policy": "mixed_float"}},
            "Did you mean 'mixed_float16'",
        ),
        ({**SYNTHETIC, "training": {"seeds": 1}}, "seeds must be a list of"),
        ({**SYNTHETIC, "training": {"seeds": [0, 0]}}, "different"),
        ({**SYNTHETIC, "training": {"seeds": [0, 2**32]}}, "from 0 to 2"),
        ({**SYNTHETIC, "training": {"epochs": True}}, "an integer"),
        ({**SYNTHETIC, "training": {"learning_rate": "a"}}, "a number"),
        ({**SYNTHETIC, "training": {"patience": "3"}}, "or left out"),
        ({**SYNTHETIC, "model": "INFNet"}, "model must be a table"),
        (
            {"data": {"dataset": "synthetic", "options": 3}},
            "options must be a table",
        ),
        (
            {**SYNTHETIC, "evaluation": {"baselines": "shared_bottom"}},
            "a list of str",
        ),
        ({**SYNTHETIC, "evaluation": {"batch_size": 0}}, "positive"),
        (
            {**SYNTHETIC, "evaluation": {"baselines": ["boosting"]}},
            "unknown baseline",
        ),
    ],
)
def test_mistakes_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        ExperimentSettings.from_dict(config)


def test_files_that_are_no_settings(tmp_path):
    (tmp_path / "a.toml").write_text("x = ")
    with pytest.raises(ValueError, match=r"a\.toml"):
        load_settings(tmp_path / "a.toml")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json"):
        load_settings(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(ValueError, match=r"a table.*Received: list"):
        load_settings(tmp_path / "a.json")
    (tmp_path / "a.yaml").write_text("")
    with pytest.raises(ValueError, match=r"\.toml or \.json"):
        load_settings(tmp_path / "a.yaml")


def test_a_model_spelled_out():
    """Runs are kept by it: a preset may stand for something else later."""
    model = {"name": "INFNet", "preset": "small", "token_dim": 7}
    data = {"dataset": "synthetic"}
    found = ExperimentSettings.from_dict({"data": data, "model": model})
    assert found.spelled_out_model == {
        **INFNet.presets["small"],
        "name": "INFNet",
        "token_dim": 7,
    }
    found = ExperimentSettings.from_dict({"data": data})
    assert found.spelled_out_model == {"name": "INFNet"}
