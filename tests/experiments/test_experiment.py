"""Runs: labels, divergence, interruptions."""

import dataclasses
import logging

import numpy as np
import pytest

from keras_infnet.data import Batches, Encoder, datasets
from keras_infnet.experiments import (
    ExperimentData,
    ExperimentSettings,
    build_model,
    evaluate_model,
    run_experiment,
)
from keras_infnet.experiments.experiment_data import check_labels
from keras_infnet.training.resume import Resume

LABELS = ("click", "like", "purchase")


@pytest.fixture(scope="module")
def data():
    loaded = datasets.synthetic.load(num_users=20, num_items=30, num_rows=200)
    encoder = Encoder(loaded.schema).fit(loaded.train)
    return ExperimentData(encoder, loaded.train, None, loaded.test)


def settings(**training):
    return ExperimentSettings.from_dict(
        {
            "data": {"dataset": "synthetic"},
            "model": {"name": "FM", "embedding_dim": 4},
            "training": training,
        }
    )


def with_label(data, value, names):
    rows = len(data.train)
    train = data.train.with_columns(
        {name: np.full(rows, value) for name in names}
    )
    return dataclasses.replace(data, train=train)


def test_no_labels(data):
    with pytest.raises(ValueError, match="click, like, purchase"):
        run_experiment(settings(), with_label(data, np.nan, LABELS))


@pytest.mark.parametrize(
    "value, message", [(1.0, "only the label 1 "), (np.nan, "no labels ")]
)
def test_tasks_without_labels(data, value, message, caplog):
    changed = with_label(data, value, ["like"])
    rows = Batches(changed.train, data.encoder, 64)
    with caplog.at_level(logging.WARNING, "keras_infnet"):
        check_labels(rows, data.encoder.schema)
    (text,) = [record.getMessage() for record in caplog.records]
    assert text.startswith("task 'like' has") and message in text


def test_training_that_diverges(data):
    diverging = settings(learning_rate=1e30, batch_size=16, epochs=2)
    with pytest.raises(ValueError, match="diverged.*learning_rate"):
        run_experiment(diverging, data, verbose=0)


@pytest.fixture(scope="module")
def whole(data):
    """A run of two epochs that was not interrupted."""
    twice = settings(batch_size=64, epochs=2)
    return twice, run_experiment(twice, data, verbose=0)


@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_train_end"])
def test_an_interrupted_run_counts_all_of_its_rows(
    moment, data, tmp_path, monkeypatch, whole
):
    twice, whole = whole
    before = getattr(Resume, moment)

    def interrupt(self, *arguments, **kwargs):
        if self.finished_epochs:
            raise KeyboardInterrupt
        before(self, *arguments, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Resume, moment, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(twice, data, directory=tmp_path, verbose=0)
    resumed = run_experiment(twice, data, directory=tmp_path, verbose=0)
    assert resumed.rows == whole.rows == 2 * len(data.train)
    assert resumed.curve == whole.curve
    for task, results in whole.metrics.items():
        assert resumed.metrics[task] == pytest.approx(results, abs=1e-6)


def test_the_encoder_of_another_model(data):
    model = build_model(settings(), data.encoder.schema)
    other = Encoder(data.encoder.schema).fit(data.train.slice(0, 40))
    with pytest.raises(ValueError, match="differ in table"):
        evaluate_model(model, other, data.test)
