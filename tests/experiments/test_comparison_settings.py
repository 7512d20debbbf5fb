"""Settings of a comparison, before any work."""

import json
import pathlib

import numpy as np
import pytest
from small_comparisons import CONFIG, settings

from keras_infnet.experiments import (
    ComparisonSettings,
    SearchSettings,
    compare,
    load_settings,
)
from keras_infnet.experiments.comparison import run_comparison

EXAMPLES = sorted(
    (
        pathlib.Path(__file__).parents[2]
        / "keras_infnet/example_settings/compare"
    ).glob("*.toml")
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": []}, r"\[\[models\]\].*models=\[\]"),
        ({"models": [{"preset": "small"}]}, "`name`.*{'preset': 'small'}"),
        ({"models": {"name": "FM"}}, r"\[\[models\]\].*{'name': 'FM'}"),
        ({"models": [{"name": "DCN2"}]}, "model 'DCN2'.*'DCNv2'"),
        ({"models": [{"name": "FM", "dim": 3}]}, "key of .model. 'dim'"),
        ({"models": [{"name": "FM"}] * 2}, "`label`.*Repeated: FM"),
        ({"reference": "Bottom"}, "reference 'Bottom'.*'bottom'"),
        ({"models": [{"name": "FM", "label": ["IF"]}]}, r"\['IF'\]"),
        ({"models": [{"name": "FM", "preset": ["s"]}]}, r"preset=\['s'\]"),
        ({"models": [{"name": "FM", "label": "a\nb"}]}, r"label='a\\nb'"),
        ({"models": [{"name": "FM", "label": ""}]}, "label=''"),
        (
            {"models": [{"name": "FM"}, {"name": "FM", "label": "FM "}]},
            "label='FM '",
        ),
        ({"resamples": 0}, "`resamples` .*Received: 0"),
        ({"resamples": "200"}, "`resamples` .*Received: '200'"),
        ({"resamples": 1.5}, "`resamples` .*Received: 1.5"),
        ({"title": 3}, "`title` .*Received: 3"),
        ({"title": "a/b"}, "`title` .*title='a/b'"),
        ({"search": {"trial": 3}}, "'trial'.*'trials'"),
        ({"search": {"trials": 0}}, "trials .*Received: 0"),
        ({"search": {"learning_rate": [2, 1]}}, r"learning_rate .*\[2, 1\]"),
        ({"search": {"learning_rate": [0, 1]}}, r"learning_rate .*\[0, 1\]"),
        ({"search": 3}, r"\[search\].*Received: 3"),
        ({"modles": []}, "'modles'.*'models'"),
        (
            {"evaluation": {"baselines": ["shared_bottom"]}},
            "baselines.*'shared_bottom'",
        ),
    ],
)
def test_wrong_settings(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **changes)


def test_a_model_that_the_schema_does_not_suit_stops_before_any_work(
    tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("work is done first")

    monkeypatch.setattr(run_comparison, "run_experiment", refuse)
    models = [CONFIG["models"][0], {"name": "BST", "num_heads": 7}]
    with pytest.raises(ValueError, match="`num_heads` must divide"):
        compare(settings(tmp_path, models=models), lambda _: None)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_settings_of_the_examples(path):
    chosen = ComparisonSettings.from_dict(load_settings(path))
    assert chosen.reference in chosen.labels and chosen.search.trials > 1
    again = ComparisonSettings.from_dict(
        json.loads(json.dumps(chosen.to_dict()))
    )
    assert again == chosen


def test_draws_lie_between_the_bounds_and_do_not_change():
    search = SearchSettings(trials=40, learning_rate=(1e-4, 1e-2))
    draws = search.draw()
    assert draws == search.draw() and draws[0] == {}
    rates = np.array([draw["learning_rate"] for draw in draws[1:]])
    assert rates.min() >= 1e-4 and rates.max() <= 1e-2
    # Evenly on a logarithmic scale: half of them below the middle.
    assert 0.3 < np.mean(rates < 1e-3) < 0.7
