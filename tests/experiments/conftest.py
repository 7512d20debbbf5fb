"""Sweeps that train nothing."""

import pytest
from small_sweeps import auc_of

from keras_infnet.experiments import Run
from keras_infnet.experiments.sweep import run_sweep


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
