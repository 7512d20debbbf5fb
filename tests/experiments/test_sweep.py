"""Sweeps: tables, interruptions, other settings in the directory."""

import csv
import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_sweeps import CONFIG, RATE, TABLES, outcome, settings, silent

from keras_infnet.data import Batches
from keras_infnet.experiments import (
    ExperimentSettings,
    SweepSettings,
    experiment,
    format_sweep,
    load_data,
    load_settings,
    run_experiment,
    sweep,
)
from keras_infnet.experiments.tuning import run_sweep
from keras_infnet.training import predict_rows


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    pytest.importorskip(
        "keras_tuner", reason="needs the extra `sweep`", exc_type=ImportError
    )
    messages = []
    folder = tmp_path_factory.mktemp("swept")
    space = {
        TABLES: {"low": 0.05, "high": 1, "scale": "log"},
        "model.tower_dims": {"values": [[], [4]]},
    }
    chosen = settings(folder, space, trials=2)
    return sweep(chosen, messages.append), messages


def test_the_best_settings_reach_the_best_score(swept):
    """Trained on its own and scored by scikit-learn."""
    found, _ = swept
    path = pathlib.Path(found.settings.directory) / "best.json"
    best = ExperimentSettings.from_dict(load_settings(path))
    assert best.directory == str(path.parent / "best")
    data = load_data(best.data)
    run = run_experiment(
        best, dataclasses.replace(data, test=None), verbose=0, evaluated=False
    )
    rows = Batches(data.validation, data.encoder, 64)
    predictions = predict_rows(run.model, rows)
    aucs = []
    for task, labels in rows.labels().items():
        known = rows.weights()[task] > 0
        aucs.append(roc_auc_score(labels[known], predictions[task][known, 0]))
    scores = [trial.score for trial in found.trials]
    assert max(scores) == pytest.approx(np.mean(aucs), abs=1e-6)
    assert found.best.score == max(scores) > min(scores)


def test_the_first_trial_has_the_unchanged_settings(swept):
    found, messages = swept
    assert found.trials[0].changes == {TABLES: 0.05, "model.tower_dims": []}
    assert messages[0].startswith("trial 1/2: the unchanged settings")
    assert "best so far" in messages[1] and messages[2].startswith(
        "trial 2/2: "
    )


def test_tables(swept):
    found, _ = swept
    folder = pathlib.Path(found.settings.directory)
    with (folder / "sweep.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    scores = [float(row["auc"]) for row in table]
    assert scores == sorted((t.score for t in found.trials), reverse=True)
    for row, trial in zip(table, found.ranked, strict=True):
        assert int(row["trial"]) == trial.number
        assert float(row[TABLES]) == trial.changes[TABLES]
        tasks = [float(row[f"{t}_auc"]) for t in ("click", "like", "purchase")]
        assert float(row["auc"]) == pytest.approx(np.mean(tasks))
    kept = json.loads((folder / "sweep.json").read_text())
    assert kept["best"] == found.best.number and len(kept["trials"]) == 2
    assert SweepSettings.from_dict(kept["settings"]) == found.settings
    text = format_sweep(found).splitlines()
    assert text[0].split()[:3] == ["trial", "mean", "AUC"]
    assert text[1].split()[:2] == [
        str(found.best.number),
        f"{found.best.score:.4f}",
    ]


@pytest.mark.parametrize(
    ("tuner_name", "stop"), [("random", 0), ("random", 2), ("bayesian", 4)]
)
def test_an_interrupted_sweep_reaches_what_a_whole_one_does(
    tmp_path, monkeypatch, quick, tuner_name, stop
):
    space = {RATE: {"low": 1e-3, "high": 0.1, "scale": "log"}}

    def chosen(name):
        return settings(tmp_path / name, space, tuner=tuner_name, trials=5)

    whole = sweep(chosen("whole"), silent)
    rates = list(quick)
    quick.clear()
    run = run_sweep.run_experiment

    def interrupted(experiment, *arguments, **kwargs):
        if len(quick) == stop:
            raise KeyboardInterrupt
        return run(experiment, *arguments, **kwargs)

    monkeypatch.setattr(run_sweep, "run_experiment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(chosen("parts"), silent)
    monkeypatch.setattr(run_sweep, "run_experiment", run)
    messages = []
    parts = sweep(chosen("parts"), messages.append)
    # No trial was repeated.
    assert quick == rates and len(set(rates)) == 5
    assert outcome(parts) == outcome(whole)
    if stop:
        assert messages[0].startswith(
            f"{stop} of 5 trials are done; best so far"
        )
        assert messages[1].startswith(f"trial {stop + 1}/5")
    # And a finished sweep does nothing.
    quick.clear()
    again = sweep(chosen("parts"), silent)
    assert not quick and outcome(again) == outcome(whole)
    assert (tmp_path / "parts/best.json").read_text() == (
        tmp_path / "whole/best.json"
    ).read_text().replace("whole", "parts")


def test_an_interrupt_that_comes_as_another_error_fails_no_trial(
    tmp_path, monkeypatch, quick
):
    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("cleaning up failed")

    with monkeypatch.context() as patch:
        patch.setattr(run_sweep, "run_experiment", interrupted)
        with pytest.raises(RuntimeError, match="cleaning up"):
            sweep(settings(tmp_path), silent)
    found = sweep(settings(tmp_path), silent)
    assert [trial.error for trial in found.trials] == [None] * 4


def test_an_unfinished_trial_continues_within(tmp_path, monkeypatch, tuner):
    """Interrupted after the first of two epochs."""
    fit, epochs = experiment.fit_ranker, []

    def note(epoch, logs):
        epochs.append(epoch)
        if epochs == [0, 1]:
            raise KeyboardInterrupt

    def stopping(*arguments, callbacks, **kwargs):
        watch = keras.callbacks.LambdaCallback(on_epoch_begin=note)
        return fit(*arguments, callbacks=[*callbacks, watch], **kwargs)

    monkeypatch.setattr(experiment, "fit_ranker", stopping)
    chosen = settings(tmp_path, trials=1, training={"epochs": 2})
    with pytest.raises(KeyboardInterrupt):
        sweep(chosen, silent)
    assert list(tmp_path.glob("runs/unfinished/*/resume.npz"))
    found = sweep(chosen, silent)
    assert epochs == [0, 1, 1] and found.best.score > 0
    assert not list(tmp_path.glob("runs/unfinished/*"))


def test_a_damaged_state_is_rebuilt_from_the_finished_trials(tmp_path, quick):
    before = sweep(settings(tmp_path), silent)
    quick.clear()
    state = tmp_path / "tuner/oracle.json"
    state.write_text(state.read_text()[:100])
    messages = []
    after = sweep(settings(tmp_path), messages.append)
    assert not quick and outcome(after) == outcome(before)
    assert "damaged" in messages[0]


def test_more_trials_go_on(tmp_path, quick):
    few = sweep(settings(tmp_path, trials=2), silent)
    quick.clear()
    more = sweep(settings(tmp_path, trials=12), silent)
    assert len(quick) == 10
    assert outcome(more)[:2] == outcome(few)
    assert [trial.number for trial in more.trials] == list(range(1, 13))
    # Fewer trials keep all of them.
    assert outcome(sweep(settings(tmp_path, trials=1), silent)) == outcome(more)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "sweep.seed was 0 and is 1"),
        ({"tuner": "bayesian"}, 'sweep.tuner was "random" and is "bayesian"'),
        (
            {"space": {RATE: {"low": 0.001, "high": 0.2}}},
            r"high was 0\.1 and is 0\.2",
        ),
        ({"training": {"epochs": 3}}, "training.epochs was 1 and is 3"),
        (
            {
                "data": {
                    "dataset": "synthetic",
                    "options": {**CONFIG["data"]["options"], "seed": 9},
                }
            },
            "data.options.seed was null and is 9",
        ),
    ],
)
def test_another_sweep_in_the_directory(tmp_path, quick, changes, message):
    sweep(settings(tmp_path, trials=1), silent)
    before = (tmp_path / "sweep.csv").read_text()
    quick.clear()
    with pytest.raises(ValueError, match=message):
        sweep(settings(tmp_path, **changes), silent)
    assert not quick and (tmp_path / "sweep.csv").read_text() == before


def test_a_space_that_is_used_up(tmp_path, quick):
    space = {RATE: {"values": [0.001, 0.01]}}
    messages = []
    found = sweep(settings(tmp_path, space, trials=9), messages.append)
    assert sorted(t.changes[RATE] for t in found.trials) == [0.001, 0.01]
    assert messages[-1].startswith("The sweep stops")
    assert found.best.changes == {RATE: 0.01}
