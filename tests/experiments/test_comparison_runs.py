"""Runs of a comparison: searched, interrupted, diverged."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_comparisons import CONFIG, settings

from keras_infnet import models
from keras_infnet.data import Batches
from keras_infnet.experiments import (
    compare,
    comparison_rows,
    experiment,
    format_comparison,
)
from keras_infnet.experiments.comparison import run_comparison
from keras_infnet.experiments.experiment import DivergedError
from keras_infnet.utils.atomic_files import alone_in


def test_an_interrupted_comparison_continues(tmp_path, monkeypatch):
    run, done = run_comparison.run_experiment, []

    def interrupted(experiment, data, seed, **kwargs):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(seed)
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(run_comparison, "run_experiment", interrupted)
    chosen = settings(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        compare(chosen, lambda _: None)
    monkeypatch.setattr(run_comparison, "run_experiment", run)
    said = []
    compare(chosen, said.append)
    assert said[0].startswith("[2/5] bottom, seed 1")
    assert len(said) == 5


def test_two_comparisons_in_one_directory(tmp_path):
    chosen = settings(tmp_path)
    with alone_in(chosen.directory, "a comparison"):
        with pytest.raises(RuntimeError, match="a comparison is under way in"):
            compare(chosen, lambda _: None)
    assert not (tmp_path / "kept/runs").exists()


def test_a_preset_that_has_changed_is_trained_anew(tmp_path, monkeypatch):
    chosen = settings(
        tmp_path,
        models=[{"name": "FM", "preset": "small", "embedding_dim": 4}],
        training={"seeds": [0], "batch_size": 128},
        evaluation={},
    )
    lines = []
    for weighting in ("fixed", "fixed", "uncertainty"):
        monkeypatch.setattr(
            models.FM, "presets", {"small": {"loss_weighting": weighting}}
        )
        said = []
        compare(chosen, said.append)
        lines.append(len(said))
    # The last line is that of the speed.
    assert lines == [2, 1, 2]


def test_runs_that_diverge_are_told_and_stop_nothing(tmp_path, monkeypatch):
    run = run_comparison.run_experiment

    def diverging(experiment, data, seed, **kwargs):
        if experiment.model["name"] == "FM" and seed == 1:
            raise DivergedError("training diverged: the loss is nan.")
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(run_comparison, "run_experiment", diverging)
    found = compare(settings(tmp_path), lambda _: None)
    rows = comparison_rows(found)
    row = next(r for r in rows if r["model"] == "FM")
    assert row["runs"] == 2 and row["diverged"] == 1
    assert "2, 1 diverged" in format_comparison(found, rows, markdown=False)
    assert np.isfinite(row["auc"]) and "auc_sd" not in row
    # Kept as such.
    record = found.models[1].runs[1]
    assert record["seed"] == 1 and "loss is nan" in record["error"]


def test_a_search_is_scored_on_validation_rows_alone(tmp_path, monkeypatch):
    run, seen = run_comparison.run_experiment, []

    def spied(experiment, data, seed, **kwargs):
        result = run(experiment, data, seed, **kwargs)
        rows = Batches(data.validation, data.encoder, 512)
        labels, weights = rows.labels(), rows.weights()
        predictions = result.model.predict(rows, verbose=0)
        aucs = [
            roc_auc_score(labels[task][known], predictions[task][known, 0])
            for task in labels
            if len(set(labels[task][known := weights[task] > 0])) == 2
        ]
        rate = experiment.training.learning_rate
        seen.append((experiment.model["name"], rate, seed, np.mean(aucs)))
        return result

    monkeypatch.setattr(run_comparison, "run_experiment", spied)
    chosen = settings(
        tmp_path,
        search={"trials": 3, "seed": 4},
        training={"seeds": [5, 1], "batch_size": 128},
        evaluation={},
    )
    said = []
    found = compare(chosen, said.append)
    draws = chosen.search.draw()
    rates = [draw.get("learning_rate", 1e-3) for draw in draws]
    assert draws[0] == {} and len(set(rates)) == 3
    # The best trial is the run of the first seed, and not done again.
    assert len(seen) == 8 and "[8/8]" in said[-2]
    for index, model in enumerate(found.models):
        mine = seen[4 * index : 4 * index + 4]
        assert [rate for _, rate, *_ in mine[:3]] == rates
        assert [seed for *_, seed, _ in mine] == [5, 5, 5, 1]
        scores = [score for *_, score in mine[:3]]
        assert [t["score"] for t in model.trials] == pytest.approx(scores)
        best = draws[int(np.argmax(scores))]
        assert model.chosen == best
        assert mine[3][1] == best.get("learning_rate", 1e-3)
        assert [r["seed"] for r in model.runs] == [5, 1]
        for record in model.runs:
            read = record["curve"]["rows"][-1]
            assert read == record["rows"] // 128 * 128 > 0
            assert np.isfinite(record["curve"]["loss"]).all()


def test_autoifs_is_searched_and_trained_again(tmp_path):
    """Its rows count in both stages; other models know nothing of it."""
    bottom, _ = CONFIG["models"]
    training = {"seeds": [0], "batch_size": 128}
    known = settings(tmp_path, models=[bottom], training=training)
    compare(known, lambda _: None)
    said = []
    found = compare(
        settings(
            tmp_path,
            models=[
                bottom,
                {"name": "AutoIFS", "hidden_dims": [8], "scenario_dim": 4},
            ],
            training={
                **training,
                "flow_search": {"epochs": 3, "rewind_epoch": 0},
            },
        ),
        said.append,
    )
    assert ["AutoIFS" in line for line in said] == [True, False]
    assert found.models[1].runs[0]["rows"] == 4 * 630
    assert found.models[0].runs[0]["rows"] == 630
    table = format_comparison(found, comparison_rows(found), markdown=True)
    assert "| AutoIFS |" in table
    # The model that is served has the searched table a second time.
    bottom_table, table = (
        model.parameters["embedding"] for model in found.models[:2]
    )
    assert table == 2 * bottom_table * 16 // 4
    with pytest.raises(ValueError, match="stage='retrain'"):
        compare(
            settings(tmp_path, models=[{"name": "AutoIFS", "stage": "retrain"}])
        )


def test_predictions_that_are_not_finite_are_a_divergence(
    tmp_path, monkeypatch
):
    predict = run_comparison.predict_rows

    def broken(model, rows):
        found = predict(model, rows)
        if type(model).__name__ == "FM":
            found["click"][0] = np.nan
        return found

    monkeypatch.setattr(run_comparison, "predict_rows", broken)
    chosen = settings(
        tmp_path, training={"seeds": [0], "batch_size": 128}, evaluation={}
    )
    found = compare(chosen, lambda _: None)
    assert found.models[0].runs[0]["error"] is None
    record = found.models[1].runs[0]
    assert "predictions of 'click' are not finite" in record["error"]
    assert record["metrics"] is None and not found.models[1].predictions


def test_an_interrupted_run_has_the_history_of_all_epochs(
    tmp_path, monkeypatch
):
    """And no speed: the time of its first part is not known."""
    training = {"seeds": [0], "batch_size": 128, "epochs": 3}
    changes = {"training": training, "models": CONFIG["models"][:1]}
    whole = compare(settings(tmp_path / "whole", **changes), lambda _: None)
    predicted = run_comparison.run_experiment

    def stopped(*args, **kwargs):
        class Stop(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    raise KeyboardInterrupt

        fit = experiment.fit_ranker
        monkeypatch.setattr(
            experiment,
            "fit_ranker",
            lambda *a, callbacks, **k: fit(
                *a, callbacks=[*callbacks, Stop()], **k
            ),
        )
        try:
            return predicted(*args, **kwargs)
        finally:
            monkeypatch.setattr(experiment, "fit_ranker", fit)

    monkeypatch.setattr(run_comparison, "run_experiment", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare(settings(tmp_path / "stopped", **changes), lambda _: None)
    monkeypatch.setattr(run_comparison, "run_experiment", predicted)
    found = compare(settings(tmp_path / "stopped", **changes), lambda _: None)
    mine, theirs = found.models[0].runs[0], whole.models[0].runs[0]
    assert len(mine["history"]["loss"]) == 3
    for name, values in theirs["history"].items():
        assert mine["history"][name] == pytest.approx(values), name
    assert mine["curve"] == theirs["curve"]
    assert mine["seconds"] is None and theirs["seconds"] > 0
