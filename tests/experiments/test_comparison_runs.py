"""Runs of a comparison: searched, interrupted, diverged."""

import re

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
    load_data,
)
from keras_infnet.experiments.comparison import run_comparison
from keras_infnet.experiments.comparison.costs import Speed
from keras_infnet.experiments.experiment import DivergedError
from keras_infnet.utils.atomic_files import alone_in

BOTTOM, FM = CONFIG["models"]
ONE_SEED = {"seeds": [0], "batch_size": 128}


def silent(_):
    pass


def test_an_interrupted_comparison_continues(tmp_path, monkeypatch, untrained):
    run = run_comparison.run_experiment

    def interrupted(*args, **kwargs):
        if len(untrained) == 1:
            raise KeyboardInterrupt
        return run(*args, **kwargs)

    chosen = settings(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(run_comparison, "run_experiment", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(chosen, silent)
    messages = []
    compare(chosen, messages.append)
    assert messages[0].startswith("[2/5] bottom, seed 1")
    assert len(messages) == 5 and len(untrained) == 4


def test_two_comparisons_in_one_directory(tmp_path, untrained):
    chosen = settings(tmp_path)
    with alone_in(chosen.directory, "a comparison"):
        with pytest.raises(RuntimeError, match=re.escape(chosen.directory)):
            compare(chosen, silent)
    assert not untrained and not (tmp_path / "kept/runs").exists()


def test_a_changed_preset_is_trained_again(tmp_path, monkeypatch, untrained):
    model = {"name": "FM", "preset": "small", "embedding_dim": 4}
    chosen = settings(
        tmp_path, models=[model], training=ONE_SEED, evaluation={}
    )
    trained = []
    for weighting in ("fixed", "fixed", "uncertainty"):
        monkeypatch.setattr(
            models.FM, "presets", {"small": {"loss_weighting": weighting}}
        )
        compare(chosen, silent)
        trained.append(len(untrained))
    assert trained == [1, 1, 2]


def test_diverged_runs_do_not_stop_the_others(tmp_path, monkeypatch, untrained):
    run, predict = run_comparison.run_experiment, run_comparison.predict_rows

    def diverging(experiment, data, seed, **kwargs):
        if experiment.model["name"] == "FM" and seed == 1:
            raise DivergedError("the loss is nan")
        return run(experiment, data, seed, **kwargs)

    def broken(model, rows):
        found = predict(model, rows)
        if model.name == "FM" and model.draw[0] == 2:
            found["click"][0] = np.nan
        return found

    monkeypatch.setattr(run_comparison, "run_experiment", diverging)
    monkeypatch.setattr(run_comparison, "predict_rows", broken)
    training = {"seeds": [0, 1, 2], "batch_size": 128}
    found = compare(settings(tmp_path, training=training), silent)
    rows = comparison_rows(found)
    row = next(r for r in rows if r["model"] == "FM")
    assert row["runs"] == 3 and row["diverged"] == 2
    assert "3, 2 diverged" in format_comparison(found, rows, markdown=False)
    assert np.isfinite(row["auc"]) and "auc_sd" not in row
    errors = [run["error"] for run in found.models[1].runs]
    assert errors[0] is None and "loss is nan" in errors[1]
    assert "predictions of 'click' are not finite" in errors[2]
    assert [run["metrics"] is None for run in found.models[1].runs] == [
        False,
        True,
        True,
    ]
    assert len(found.models[1].predictions) == 1


def test_a_search_is_scored_on_validation_rows_alone(tmp_path, untrained):
    chosen = settings(
        tmp_path,
        search={"trials": 3, "seed": 4},
        training={"seeds": [5, 1], "batch_size": 128},
        evaluation={},
    )
    messages = []
    found = compare(chosen, messages.append)
    data = load_data(chosen.data)
    rows = Batches(data.validation, data.encoder, 512)
    draws = chosen.search.draw()
    rates = [draw.get("learning_rate", 1e-3) for draw in draws]
    assert draws[0] == {} and len(set(rates)) == 3
    # The best trial is the run of the first seed, and not done again.
    assert len(untrained) == 8 and "[8/8]" in messages[-2]
    scores = []
    for rate in rates:
        rng = np.random.default_rng([5, int(1e9 * rate)])
        aucs = []
        for task, labels in rows.labels().items():
            scored = rng.random(len(labels))
            known = rows.weights()[task] > 0
            if len(set(labels[known])) == 2:
                aucs.append(roc_auc_score(labels[known], scored[known]))
        scores.append(np.mean(aucs))
    best = draws[int(np.argmax(scores))]
    for index, model in enumerate(found.models):
        mine = untrained[4 * index : 4 * index + 4]
        asked = [chosen.training.learning_rate for chosen, _ in mine]
        assert asked == [*rates, best.get("learning_rate", 1e-3)]
        assert [seed for _, seed in mine] == [5, 5, 5, 1]
        assert [t["score"] for t in model.trials] == pytest.approx(scores)
        assert model.chosen == best
        assert [r["seed"] for r in model.runs] == [5, 1]


def test_settings_of_autoifs_do_not_affect_other_models(tmp_path, untrained):
    search = {"epochs": 3, "rewind_epoch": 0}
    compare(settings(tmp_path, models=[BOTTOM], training=ONE_SEED), silent)
    training = {**ONE_SEED, "flow_search": search}
    listed = [BOTTOM, {"name": "AutoIFS"}]
    for _ in range(2):
        compare(settings(tmp_path, models=listed, training=training), silent)
    names = [chosen.model["name"] for chosen, _ in untrained]
    assert names == ["SharedBottom", "AutoIFS"]
    listed = [{"name": "AutoIFS", "stage": "retrain"}]
    with pytest.raises(ValueError, match="stage='retrain'"):
        compare(settings(tmp_path, models=listed))


def test_autoifs_is_searched_and_trained_again(tmp_path, monkeypatch):
    """Its rows count both stages; the searched table is served too."""
    speeds = {"AutoIFS": Speed(1e-3, 1e-6)}
    monkeypatch.setattr(run_comparison, "measure_speeds", lambda *_: speeds)
    model = {"name": "AutoIFS", "hidden_dims": [8], "scenario_dim": 4}
    found = compare(
        settings(
            tmp_path,
            models=[{**model, "embedding_dim": 4}],
            training={**ONE_SEED, "flow_search": {"epochs": 2}},
            evaluation={},
        ),
        silent,
    )
    (autoifs,) = found.models
    assert autoifs.runs[0]["rows"] == 3 * 630
    schema = load_data(found.settings.data).encoder.schema
    names = {field.table_name for field in schema.fields}
    ids = sum(map(schema.table_size, names))
    # Tables are padded to a multiple of eight rows.
    assert autoifs.parameters["embedding"] == 2 * 4 * (ids + -ids % 8)


def test_an_interrupted_run_has_the_history_of_all_epochs(
    tmp_path, monkeypatch
):
    """Its time is unknown, since that of its first part is."""
    training = {**ONE_SEED, "epochs": 2}
    changes = {"training": training, "models": [FM], "evaluation": {}}
    monkeypatch.setattr(
        run_comparison, "measure_speeds", lambda *_: {"FM": Speed(1e-3, 1e-6)}
    )
    whole = compare(settings(tmp_path / "whole", **changes), silent)
    fit = experiment.fit_ranker

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    def stopping(*args, callbacks, **kwargs):
        watch = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
        return fit(*args, callbacks=[*callbacks, watch], **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "fit_ranker", stopping)
        with pytest.raises(KeyboardInterrupt):
            compare(settings(tmp_path / "stopped", **changes), silent)
    found = compare(settings(tmp_path / "stopped", **changes), silent)
    mine, theirs = found.models[0].runs[0], whole.models[0].runs[0]
    assert len(mine["history"]["loss"]) == 2
    for name, values in theirs["history"].items():
        assert mine["history"][name] == pytest.approx(values), name
    assert mine["curve"] == theirs["curve"]
    assert mine["seconds"] is None and theirs["seconds"] > 0
