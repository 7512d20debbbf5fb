"""Ablation studies."""

import json

import pytest
from small_models import small_model
from tiny import plain_schema

from keras_infnet.cli import main
from keras_infnet.experiments import (
    ComparisonSettings,
    ablations,
    compare,
    comparison_rows,
    write_comparison,
)

HUB = {
    "name": "INFNet",
    "preset": "small",
    "token_dim": 4,
    "num_blocks": 2,
    "tower_inputs": "task",
}
CONFIG = {
    "data": {
        "dataset": "synthetic",
        "options": {"num_users": 40, "num_items": 30, "num_rows": 400},
    },
    "training": {"seeds": [3], "batch_size": 128},
    "search": {"trials": 4, "seed": 2},
    "evaluation": {"baselines": ["logistic_regression"], "batch_size": 256},
    "models": [
        {"name": "FM"},
        {**HUB, "label": "the hub one"},
        {**HUB, "label": "proxy", "variant": "proxy"},
        {"name": "InterFormer"},
        {"name": "MMoE", "trunk": "InterFormer"},
        {"label": "broken", "name": "INFNet", "ablate": "task"},
        {"label": "one-way", "name": "InterFormer", "exchange": "n2s"},
    ],
    "resamples": 20,
}


def settings(**changes):
    return ComparisonSettings.from_dict({**CONFIG, **changes})


def test_variants_of_infnet():
    """The preset has four categorical hubs."""
    assert ablations(HUB) == {
        "without task tokens": {"ablate": ["task"]},
        "without stage 1 (aggregation)": {"ablate": ["aggregate"]},
        "without stage 2 (broadcast)": {"ablate": ["broadcast"]},
        "without hubs (all to all)": {"ablate": ["hubs"]},
        "categorical hubs: 2": {"num_categorical_tokens": 2},
        "categorical hubs: 8": {"num_categorical_tokens": 8},
        "hubs start as means": {"hub_initialization": "mean"},
        "hubs start at random": {"hub_initialization": "random"},
    }
    found = ablations({"name": "INFNet", "variant": "proxy"})
    assert list(found) == [
        "without task tokens",
        "without stage 1 (cross attention)",
        "without stage 2 (gates)",
        "without proxies (all to all)",
        "categorical proxies: 2",
        "categorical proxies: 8",
    ]
    # The default is 16 hubs.
    sizes = [list(ablations({"name": "INFNet"}))[place] for place in (4, 5)]
    assert sizes == ["categorical hubs: 8", "categorical hubs: 32"]
    one = ablations({**HUB, "num_categorical_tokens": 1, "ablate": []})
    assert list(one)[4:5] == ["categorical hubs: 2"] and len(one) == 7
    # In the last block only towers may read the hubs of the fields.
    assert len(ablations({**HUB, "num_blocks": 1})) == 4
    read = ablations({**HUB, "num_blocks": 1, "tower_inputs": "all"})
    assert len(read) == 9
    assert read["without hubs (all to all)"] == {
        "ablate": ["hubs"],
        "tower_inputs": "task",
    }
    assert read["towers read task tokens only"] == {"tower_inputs": "task"}


@pytest.mark.parametrize(
    ("label", "changed"),
    [
        (
            "INFNet",
            {"ablate", "num_categorical_tokens", "hub_initialization"},
        ),
        ("INFNet_proxy", {"ablate", "num_categorical_tokens"}),
        ("InterFormer", {"exchange"}),
    ],
)
def test_every_variant_is_another_model(label, changed):
    schema = plain_schema()
    whole = small_model(label, schema)
    name = type(whole).__name__
    configs = [whole.get_config()]
    arguments = {k: v for k, v in whole.settings.items() if k in changed}
    variant = {"variant": "proxy"} if label == "INFNet_proxy" else {}
    for change in ablations({"name": name, **arguments, **variant}).values():
        config = small_model(label, schema, **change).get_config()
        differ = {k for k in config if config[k] != configs[0][k]} - {"name"}
        assert differ and differ <= changed
        assert config not in configs
        configs.append(config)


def test_settings_of_an_ablation():
    whole = settings()
    found = whole.ablate("the hub one")
    assert found.labels == ["the hub one", *ablations(HUB)]
    assert found.reference == "the hub one"
    assert found.models[0] == whole.models[1]
    assert found.models[2] == {
        **HUB,
        "label": "without stage 1 (aggregation)",
        "ablate": ["aggregate"],
    }
    # All as before, but baselines and the names of files.
    assert found.title == "ablations_the_hub_one"
    assert found.evaluation.baselines == ()
    assert found.evaluation.batch_size == 256
    for name in ("data", "training", "search", "resamples", "directory"):
        assert getattr(found, name) == getattr(whole, name)
    again = ComparisonSettings.from_dict(
        json.loads(json.dumps(found.to_dict()))
    )
    assert again.labels == found.labels and again.title == found.title


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("the hub", "'the hub'.*'the hub one'"),
        ("FM", "^FM .*INFNet, InterFormer"),
        ("MMoE", "^MMoE .*`trunk`"),
        ("broken", r"`ablate` .* \(\).*ablate='task'"),
        ("one-way", "`exchange` .* 'both'.*exchange='n2s'"),
    ],
)
def test_models_without_ablations(label, message):
    with pytest.raises(ValueError, match=message):
        settings().ablate(label)


def test_wrong_names():
    with pytest.raises(ValueError, match="preset 'smal'.*'small'"):
        ablations({"name": "INFNet", "preset": "smal"})
    with pytest.raises(ValueError, match="variant 'hubs'.*'hub'"):
        ablations({"name": "INFNet", "variant": "hubs"})


def test_runs_of_the_complete_model_are_reused(
    tmp_path, monkeypatch, capsys, untrained
):
    """`compare --ablate` after `compare` trains only the variants."""
    config = {
        **CONFIG,
        "search": {},
        "evaluation": {},
        "models": CONFIG["models"][1:2],
        "directory": str(tmp_path / "kept"),
    }
    found = compare(ComparisonSettings.from_dict(config), lambda _: None)
    write_comparison(found, comparison_rows(found))
    before = {path: path.read_text() for path in tmp_path.glob("kept/comp*.*")}
    assert len(before) == 4
    untrained.clear()
    arms = dict(list(ablations(HUB).items())[1:2])
    monkeypatch.setattr(
        "keras_infnet.experiments.comparison.settings.ablations", lambda _: arms
    )
    (tmp_path / "all.json").write_text(json.dumps(config))
    arguments = ["compare", "--config", str(tmp_path / "all.json"), "--ablate"]
    assert main([*arguments, "the hub one"]) == 0
    asked = [experiment.model["ablate"] for experiment, _ in untrained]
    assert asked == [["aggregate"]]
    messages = capsys.readouterr().out
    assert "vs. the hub one" in messages
    # The tables of the comparison stay.
    for path, text in before.items():
        assert path.read_text() == text
    assert (tmp_path / "kept/ablations_the_hub_one.html").exists()
    kept = json.loads(
        (tmp_path / "kept/ablations_the_hub_one.json").read_text()
    )
    assert kept["reference"] == "the hub one"
    assert [m["label"] for m in kept["models"]] == ["the hub one", *arms]
    differences = [
        row["difference_low"] <= row["difference"] <= row["difference_high"]
        for row in kept["rows"]
        if row["model"] != "the hub one"
    ]
    assert len(differences) == 3 and all(differences)
    assert main([*arguments, "the hubs"]) == 2
    assert "'the hub one'" in capsys.readouterr().err
