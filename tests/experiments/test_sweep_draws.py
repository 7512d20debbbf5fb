"""Values that a sweep draws, and scores."""

import numpy as np
from small_sweeps import CONFIG, RATE, settings, silent

from keras_infnet.evaluation import evaluate
from keras_infnet.experiments import SweepSettings, sweep
from keras_infnet.experiments.tuning import run_sweep
from keras_infnet.schema import Categorical, Schema, Task


def test_draws(tmp_path, quick):
    space = {
        RATE: {"low": 1e-4, "high": 1e-2, "scale": "log"},
        "training.epochs": {"low": 1, "high": 3},
        "training.weight_decay": {"low": 0, "high": 1},
        "model.loss_weighting": {"values": ["uncertainty", "fixed"]},
        "model.tower_dims": {"values": [[4, 2], []]},
    }
    found = sweep(settings(tmp_path, space, trials=60), silent)
    drawn = {
        path: [trial.changes[path] for trial in found.trials[1:]]
        for path in space
    }
    rates = np.array(drawn[RATE])
    assert 1e-4 <= rates.min() and rates.max() <= 1e-2
    # Uniform on a logarithmic scale: half of them are below the middle.
    assert 0.3 < np.mean(rates < 1e-3) < 0.7
    assert set(drawn["training.epochs"]) == {1, 2, 3}
    assert {type(v) for v in drawn["training.epochs"]} == {int}
    assert 0.3 < np.mean(drawn["training.weight_decay"]) < 0.7
    assert set(drawn["model.loss_weighting"]) == {"uncertainty", "fixed"}
    assert {str(v) for v in drawn["model.tower_dims"]} == {"[4, 2]", "[]"}
    # Values have three digits.
    assert all(float(f"{rate:.3g}") == rate for rate in rates)


def test_values_keep_their_type(tmp_path, monkeypatch, quick):
    space = {"model.use_softmax": {"values": [False, True]}}
    config = {
        **CONFIG,
        "model": {"name": "DIN", "preset": "small"},
        "directory": str(tmp_path),
        "sweep": {"space": space, "trials": 2},
    }
    found = sweep(SweepSettings.from_dict(config), silent)
    values = [trial.changes["model.use_softmax"] for trial in found.trials]
    assert values[0] is False and values[1] is True


def test_seeds_draw_differently(tmp_path, quick):
    drawn = []
    for seed in (0, 1):
        space = {RATE: {"low": 1e-2, "high": 0.1}}
        chosen = settings(tmp_path / str(seed), space, seed=seed, trials=5)
        drawn.append({t.changes[RATE] for t in sweep(chosen, silent).trials})
    assert not drawn[0] & drawn[1]


def test_bayesian_trials_come_nearer_to_the_best(tmp_path, quick):
    """The AUC is largest at a rate of 0.01."""
    space = {RATE: {"low": 1e-6, "high": 10.0, "scale": "log"}}
    chosen = settings(tmp_path, space, tuner="bayesian", trials=7)
    found = sweep(chosen, silent)
    distance = [abs(np.log10(t.changes[RATE]) + 2) for t in found.trials]
    assert min(distance[3:]) < min(distance[:3])


def test_the_recipe_outside_the_space(tmp_path, quick):
    space = {RATE: {"low": 0.01, "high": 0.1}}
    messages = []
    found = sweep(settings(tmp_path, space, trials=2), messages.append)
    assert min(t.changes[RATE] for t in found.trials) >= 0.01
    assert not any("unchanged" in text for text in messages)


def test_scores_ignore_undefined_metrics():
    schema = Schema([Categorical("a")], [Task("x"), Task("y")])
    labels = {"x": [0, 1, 1], "y": [1, 1, 1]}
    predictions = {"x": [0.5, 0.6, 0.4], "y": [0.5, 0.6, 0.4]}
    found = evaluate(labels, predictions, None, schema)
    assert run_sweep.mean_score(found) == ("auc", 0.5)
    assert run_sweep.mean_score({"z": {"rmse": 2.0}}) == ("rmse", 2.0)
    assert run_sweep.mean_score({}) is None
