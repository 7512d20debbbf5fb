"""Failed trials and sweeps."""

import dataclasses
import sys

import numpy as np
import pytest
from small_sweeps import CONFIG, outcome, settings, silent

from keras_infnet.data import Encoder, datasets
from keras_infnet.experiments import (
    SweepSettings,
    format_sweep,
    load_data,
    sweep,
    sweep_rows,
)
from keras_infnet.experiments.experiment import (
    DivergedError,
    ExperimentData,
    build_model,
)
from keras_infnet.experiments.tuning import run_sweep
from keras_infnet.schema import Categorical, Schema, Task


def test_failed_trials_do_not_stop_the_sweep(tmp_path, monkeypatch, quick):
    run = run_sweep.run_experiment
    errors = [
        DivergedError("the loss is nan"),
        MemoryError("too large\nfor this machine"),
    ]

    def failing(experiment, *arguments, **kwargs):
        done = run(experiment, *arguments, **kwargs)
        if len(quick) > 1 and errors:
            raise errors.pop(0)
        return done

    monkeypatch.setattr(run_sweep, "run_experiment", failing)
    messages = []
    found = sweep(settings(tmp_path), messages.append)
    first, diverged, large, last = [trial.error for trial in found.trials]
    assert first is None and last is None
    assert "the loss is nan" in diverged and large == "MemoryError: too large"
    assert f"  failed: {diverged}" in messages
    assert [t.score is None for t in found.ranked] == [False] * 2 + [True] * 2
    rows = sweep_rows(found)
    assert rows[2]["auc"] is None and "diverged" in rows[2]["error"]
    assert "failed" in format_sweep(found).splitlines()[3]
    # They are not repeated.
    quick.clear()
    assert outcome(sweep(settings(tmp_path), silent)) == outcome(found)
    assert not quick


def test_values_that_the_model_rejects(tmp_path, monkeypatch, quick):
    """`num_heads` must divide `token_dim`."""
    run = run_sweep.run_experiment

    def building(experiment, data, seed, **kwargs):
        build_model(experiment, data.encoder.schema)
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(run_sweep, "run_experiment", building)
    config = {
        **CONFIG,
        "model": {"name": "BST", "preset": "small"},
        "directory": str(tmp_path),
        "sweep": {
            "trials": 2,
            "space": {"model.num_heads": {"values": [1, 7]}},
        },
    }
    found = sweep(SweepSettings.from_dict(config), silent)
    by_heads = {t.changes["model.num_heads"]: t for t in found.trials}
    assert by_heads[1].score > 0 and by_heads[1].error is None
    assert by_heads[7].score is None
    assert "`num_heads`" in by_heads[7].error


def test_predictions_without_a_score(tmp_path, monkeypatch, quick):
    metrics = run_sweep.evaluate_model

    def refusing(*arguments):
        if len(quick) == 2:
            raise ValueError("task 'click': predictions have NaN.")
        return metrics(*arguments)

    monkeypatch.setattr(run_sweep, "evaluate_model", refusing)
    found = sweep(settings(tmp_path), silent)
    assert found.trials[1].error == "task 'click': predictions have NaN."


def test_errors_of_the_program_stop_the_sweep(tmp_path, monkeypatch, quick):
    run = run_sweep.run_experiment
    for error in (
        OSError("disk full"),
        ValueError("resume.npz is damaged"),
        TypeError("a mistake in the program"),
    ):

        def broken(*_, error=error, **__):
            raise error

        monkeypatch.setattr(run_sweep, "run_experiment", broken)
        with pytest.raises(type(error), match=str(error)):
            sweep(settings(tmp_path), silent)
    monkeypatch.setattr(run_sweep, "run_experiment", run)
    assert len(sweep(settings(tmp_path), silent).trials) == 4


def test_a_sweep_of_failures(tmp_path, monkeypatch, quick):
    def diverging(*_, **__):
        raise DivergedError("the loss is nan")

    monkeypatch.setattr(run_sweep, "run_experiment", diverging)
    with pytest.raises(RuntimeError, match="4 trials .*loss is nan"):
        sweep(settings(tmp_path), silent)
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == 5
    assert not (tmp_path / "best.json").exists()


def test_without_binary_tasks_the_lowest_error_is_the_best(
    tmp_path, monkeypatch, quick
):
    table = datasets.synthetic.load(num_rows=60, num_users=10, num_items=9)
    schema = Schema([Categorical("user_id")], [Task("time", "regression")])
    encoder = Encoder(schema).fit(table.train)
    data = ExperimentData(encoder, table.train, table.validation, None)
    monkeypatch.setattr(run_sweep, "load_data", lambda _: data)
    errors = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(
        run_sweep, "evaluate_model", lambda *_: {"time": {"rmse": next(errors)}}
    )
    messages = []
    found = sweep(settings(tmp_path, trials=3), messages.append)
    assert found.metric == "rmse"
    assert [trial.number for trial in found.ranked] == [2, 3, 1]
    assert messages[-1] == "  mean RMSE 2.0000; best so far 1.0000, trial 2"


@pytest.mark.parametrize("validation", [None, "one kind"])
def test_rows_that_score_nothing(tmp_path, monkeypatch, quick, validation):
    data = load_data(settings(tmp_path).experiment.data)
    part = None
    if validation is not None:
        zeros = np.zeros(len(data.validation))
        part = data.validation.with_columns(
            {name: zeros for name in ("click", "like", "purchase")}
        )
    lacking = dataclasses.replace(data, validation=part)
    monkeypatch.setattr(run_sweep, "load_data", lambda _: lacking)
    with pytest.raises(ValueError, match=r"validation.*\[data\] validation"):
        sweep(settings(tmp_path), silent)
    assert not quick and not list(tmp_path.iterdir())


def test_a_model_that_the_schema_does_not_suit_stops_before_any_work(
    tmp_path, quick
):
    config = {
        **CONFIG,
        "model": {"name": "BST", "num_heads": 7},
        "directory": str(tmp_path),
        "sweep": {},
    }
    with pytest.raises(ValueError, match="`num_heads`"):
        sweep(SweepSettings.from_dict(config), silent)
    assert not quick and not list(tmp_path.iterdir())


def test_without_keras_tuner(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(ImportError, match=r"\[sweep\]"):
        sweep(settings(tmp_path), silent)
    assert not list(tmp_path.iterdir())
