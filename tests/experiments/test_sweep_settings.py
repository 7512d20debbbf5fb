"""Settings and space of a sweep."""

import json
import pathlib

import pytest
from small_sweeps import CONFIG, RATE

from keras_infnet.experiments import Range, SweepSettings, load_settings

EXAMPLES = sorted(
    (
        pathlib.Path(__file__).parents[2]
        / "keras_infnet/example_settings/sweep"
    ).glob("*.toml")
)


def test_the_space_when_none_is_given():
    chosen = SweepSettings.from_dict({"data": {"dataset": "synthetic"}})
    assert chosen.space == {
        RATE: Range(5e-4, 4e-3, "log"),
        "training.embedding_learning_rate": Range(0.02, 0.2, "log"),
        "training.weight_decay": Range(1e-6, 1e-2, "log"),
    }
    assert chosen.directory == "runs/sweep"


def test_the_recipe_reads_presets_and_defaults(tmp_path):
    config = {
        **CONFIG,
        "model": {"name": "SharedBottom", "preset": "small", "dropout": 0.1},
        "sweep": {
            "space": {
                "model.hidden_dims": {"values": [[8]]},
                "model.embedding_dim": {"low": 2, "high": 8},
                "model.dropout": {"low": 0, "high": 1e-1},
                "model.preset": {"values": ["small", "base"]},
            }
        },
    }
    assert SweepSettings.from_dict(config).recipe == {
        "model.hidden_dims": [128, 64],
        "model.embedding_dim": 16,
        "model.dropout": 0.1,
        "model.preset": "small",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_settings_of_the_examples(path):
    chosen = SweepSettings.from_dict(load_settings(path))
    again = SweepSettings.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again == chosen
    # The space contains the unchanged settings.
    assert all(
        found.holds(chosen.recipe[name]) for name, found in chosen.space.items()
    )


LOG = {"low": 1e-3, "high": 0.1, "scale": "log"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (3, r"\[sweep\] .*Received: 3"),
        ({"trails": 3}, "'trails'.*Did you mean 'trials'"),
        ({"trials": 0}, "trials .*Received: 0"),
        ({"trials": "3"}, "trials .*Received: '3'"),
        ({"seed": -1}, "seed .*Received: -1"),
        ({"tuner": "baysian"}, "Did you mean 'bayesian'"),
        ({"tuner": "hyperband"}, "'hyperband' .*random, bayesian"),
        ({"space": {"trainig": {}}}, "'trainig'.*Did you mean 'training'"),
        ({"space": {"training": 3}}, "training .*Received: 3"),
        (
            {"space": {"training": {"learning_rat": LOG}}},
            "Did you mean 'training.learning_rate'",
        ),
        (
            {"space": {"model.drop_out": {"low": 0, "high": 1}}},
            "Did you mean 'model.dropout'",
        ),
        ({"space": {"model.name": {"values": ["FM"]}}}, "'model.name'"),
        ({"space": {"training.seeds": {"values": [1]}}}, "'training.seeds'"),
        ({"space": {RATE: LOG, "training": {"learning_rate": LOG}}}, RATE),
        ({"space": {RATE: 0.1}}, "learning_rate: .*Received: 0.1"),
        ({"space": {RATE: {**LOG, "hi": 1}}}, "'hi'.*Did you mean 'high'"),
        ({"space": {RATE: {**LOG, "scale": "lg"}}}, "Did you mean 'log'"),
        ({"space": {RATE: {"low": 1}}}, "low=1, high=None"),
        ({"space": {RATE: {"low": 1, "high": "2"}}}, "low=1, high='2'"),
        ({"space": {RATE: {"low": 2, "high": 1}}}, "low=2, high=1"),
        ({"space": {RATE: {**LOG, "low": 0}}}, "low=0"),
        ({"space": {RATE: {**LOG, "values": [1]}}}, r"`values`.*values=\[1\]"),
        ({"space": {RATE: {"values": []}}}, r"`values`.*\[\]"),
        ({"space": {RATE: {"values": [0.1, 0.1]}}}, r"values=\[0.1, 0.1\]"),
        ({"space": {RATE: {"values": ["a"]}}}, "learning_rate .*Received: 'a'"),
        (
            {"space": {RATE: {"low": -1, "high": 1}}},
            "`learning_rate` .*learning_rate=-1.0",
        ),
        (
            {"space": {"training.epochs": {"low": 0, "high": 2}}},
            "epochs .*Received: 0",
        ),
        (
            {"space": {"training.epochs": {"low": 1, "high": 2.5}}},
            "low=1, high=2.5",
        ),
        ({"space": {"model.tower_dims": {"low": 1, "high": 2}}}, "`values`"),
        (
            {"space": {"model.tower_dims": {"values": [8, 16]}}},
            "`tower_dims` .*tower_dims=8",
        ),
        ({"space": {"model.preset": {"values": ["smal"]}}}, "'small'"),
    ],
)
def test_wrong_settings(section, message):
    with pytest.raises(ValueError, match=message):
        SweepSettings.from_dict({**CONFIG, "sweep": section})
