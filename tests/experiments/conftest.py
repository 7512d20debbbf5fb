"""Comparisons and sweeps that train nothing."""

import types

import numpy as np
import pytest
from small_sweeps import auc_of

from keras_infnet.experiments import Run
from keras_infnet.experiments.comparison import run_comparison
from keras_infnet.experiments.comparison.costs import Speed
from keras_infnet.experiments.tuning import run_sweep


@pytest.fixture
def untrained(monkeypatch):
    """Comparisons of models that predict noise, drawn by recipe and seed.

    Returns the pairs of experiment and seed that were asked for.
    """
    asked = []

    def run(experiment, data, seed, directory, verbose, evaluated, callbacks):
        assert not evaluated
        asked.append((experiment, seed))
        rate = experiment.training.learning_rate
        model = types.SimpleNamespace(draw=[seed, int(1e9 * rate)])
        model.name = experiment.model["name"]
        curve = {"rows": [128], "loss": [0.5]}
        return Run(model, None, {"loss": [0.5]}, 1.0, 128, curve)

    monkeypatch.setattr(run_comparison, "run_experiment", run)
    monkeypatch.setattr(run_comparison, "predict_rows", noise)
    monkeypatch.setattr(
        run_comparison,
        "measure_speeds",
        lambda chosen, data: dict.fromkeys(chosen.labels, Speed(1e-3, 1e-6)),
    )
    monkeypatch.setattr(run_comparison, "served_model", lambda *_: None)
    monkeypatch.setattr(
        run_comparison,
        "count_costs",
        lambda *_: {"parameters": {"dense": 9}, "multiply_adds": 5},
    )
    return asked


def noise(model, rows):
    rng = np.random.default_rng(model.draw)
    return {
        task: rng.random((len(labels), 1))
        for task, labels in rows.labels().items()
    }


@pytest.fixture
def tuner():
    return pytest.importorskip(
        "keras_tuner", reason="needs the extra `sweep`", exc_type=ImportError
    )


@pytest.fixture
def quick(monkeypatch, tuner):
    """Trials that train nothing: their AUC is known beforehand.

    Returns the learning rates that were asked for.
    """
    asked = []

    def run(experiment, data, seed, **_):
        assert data.test is None
        asked.append(experiment.training.learning_rate)
        return Run(experiment, None, {"loss": [0.5]}, 1.0, 10, {})

    def metrics(experiment, encoder, source, batch_size):
        return {"click": {"auc": auc_of(experiment)}, "like": {"auc": 0.5}}

    monkeypatch.setattr(run_sweep, "run_experiment", run)
    monkeypatch.setattr(run_sweep, "evaluate_model", metrics)
    # Of no model there is nothing to collect.
    monkeypatch.setattr(run_sweep.gc, "collect", int)
    return asked
