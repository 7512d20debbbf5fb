"""Settings files: unknown keys, contradictions, the files that ship."""

import json
import pathlib

import pytest

from keras_infnet.experiments import ExperimentSettings, load_settings
from keras_infnet.models import INFNet

CONFIGS = sorted(
    (
        pathlib.Path(__file__).resolve().parents[2]
        / "keras_infnet/example_settings/train"
    ).glob("*.toml")
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
        ({}, r"\[data\]"),
        ({**SYNTHETIC, "trainig": {}}, "Did you mean 'training'"),
        ({"data": {"datset": "synthetic"}}, "Did you mean 'dataset'"),
        ({"data": {"dataset": "sinthetic"}}, "Did you mean 'synthetic'"),
        (
            {"data": {"dataset": "synthetic", "options": {"rows": 5}}},
            "option 'rows'.*num_rows",
        ),
        (
            {"data": {"dataset": "synthetic", "train": "a.csv"}},
            "`dataset` .*`train`",
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
        ({**SYNTHETIC, "training": {"epochs": 0}}, "epochs .*Received: 0"),
        ({**SYNTHETIC, "training": {"seeds": []}}, r"seeds .*\[\]"),
        ({**SYNTHETIC, "training": 3}, r"\[training\] .*Received: 3"),
        (
            {**SYNTHETIC, "training": {"dtype_policy": "mixed_float"}},
            "Did you mean 'mixed_float16'",
        ),
        ({**SYNTHETIC, "training": {"seeds": 1}}, "seeds .*Received: 1"),
        ({**SYNTHETIC, "training": {"seeds": [0, 0]}}, r"seeds .*\[0, 0\]"),
        ({**SYNTHETIC, "training": {"seeds": [2**32]}}, "seeds .*4294967296"),
        ({**SYNTHETIC, "training": {"epochs": True}}, "epochs .*True"),
        ({**SYNTHETIC, "training": {"learning_rate": "a"}}, "rate .*'a'"),
        ({**SYNTHETIC, "training": {"patience": "3"}}, "patience .*'3'"),
        ({**SYNTHETIC, "model": "INFNet"}, "`model` .*'INFNet'"),
        (
            {"data": {"dataset": "synthetic", "options": 3}},
            "options .*Received: 3",
        ),
        (
            {**SYNTHETIC, "evaluation": {"baselines": "shared_bottom"}},
            "baselines .*'shared_bottom'",
        ),
        ({**SYNTHETIC, "evaluation": {"batch_size": 0}}, "batch_size .* 0"),
        (
            {**SYNTHETIC, "evaluation": {"baselines": ["boosting"]}},
            "baseline 'boosting'",
        ),
    ],
)
def test_mistakes(config, message):
    with pytest.raises(ValueError, match=message):
        ExperimentSettings.from_dict(config)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "x = ", r"a\.toml"),
        ("a.json", "{", r"a\.json"),
        ("a.json", "[]", r"a\.json .*Received: list"),
        ("a.yaml", "", r"\.toml .*\.json .*a\.yaml"),
    ],
)
def test_unreadable_files(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_settings(path)


def test_spelled_out_model():
    """Keys of kept runs, since presets may change."""
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
