"""Many trials of one model: settings, tables, failures, continuing."""

import csv
import dataclasses
import json
import pathlib
import sys

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_infnet.data import Batches, Encoder, datasets
from keras_infnet.evaluation import (
    ExperimentSettings,
    Range,
    Run,
    SweepSettings,
    evaluate,
    experiment,
    format_sweep,
    load_data,
    load_settings,
    run_experiment,
    sweep,
    sweep_rows,
    sweeping,
)
from keras_infnet.evaluation.experiment import (
    DivergedError,
    ExperimentData,
    build_model,
)
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.training import predict_rows

EXAMPLES = sorted(
    (pathlib.Path(__file__).parents[2] / "examples/sweeps").glob("*.toml")
)
RATE = "training.learning_rate"
TABLES = "training.embedding_learning_rate"
CONFIG = {
    "data": {
        "dataset": "synthetic",
        "options": {"num_users": 30, "num_items": 20, "num_rows": 400},
    },
    "model": {"name": "FM", "embedding_dim": 2},
    "training": {"batch_size": 128, "learning_rate": 0.004},
    "sweep": {
        "trials": 4,
        "space": {
            "training": {
                "learning_rate": {"low": 1e-3, "high": 0.1, "scale": "log"}
            },
            "model": {
                "dropout": {"low": 0, "high": 0.5},
                "tower_dims": {"values": [[], [4]]},
            },
        },
    },
}


def settings(folder, space=None, data=None, training=None, **changes):
    """The settings above, with others in their place."""
    section = {**CONFIG["sweep"], **changes}
    if space is not None:
        section["space"] = space
    return SweepSettings.from_dict(
        {
            **CONFIG,
            "data": data or CONFIG["data"],
            "training": {**CONFIG["training"], **(training or {})},
            "directory": str(folder),
            "sweep": section,
        }
    )


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

    monkeypatch.setattr(sweeping, "run_experiment", run)
    monkeypatch.setattr(sweeping, "evaluate_model", metrics)
    # Of no model there is nothing to collect.
    monkeypatch.setattr(sweeping.gc, "collect", int)
    return asked


def auc_of(experiment):
    return 1.0 - abs(np.log10(experiment.training.learning_rate) + 2) / 10


def silent(_):
    pass


def outcome(found):
    return [(t.number, t.changes, t.score, t.error) for t in found.trials]


# ------------------------------------------------------------ a whole sweep


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    pytest.importorskip(
        "keras_tuner", reason="needs the extra `sweep`", exc_type=ImportError
    )
    said = []
    folder = tmp_path_factory.mktemp("swept")
    space = {
        TABLES: {"low": 0.05, "high": 1, "scale": "log"},
        "model.tower_dims": {"values": [[], [4]]},
    }
    chosen = settings(folder, space, trials=2)
    return sweep(chosen, said.append), said


def test_the_best_settings_reach_the_best_score(swept):
    """Trained anew by themselves, with AUCs of scikit-learn."""
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


def test_the_first_trial_has_the_settings_as_they_are(swept):
    found, said = swept
    assert found.trials[0].changes == {
        TABLES: 0.05,
        "model.tower_dims": [],
    }
    assert said[0].startswith("trial 1/2: the settings as they are")
    assert "best so far" in said[1] and said[2].startswith("trial 2/2: ")


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


# --------------------------------------------------------------- continuing


@pytest.mark.parametrize(
    ("tuner_name", "stop"),
    [("random", 0), ("random", 2), ("bayesian", 4)],
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
    run = sweeping.run_experiment

    def interrupted(experiment, *arguments, **kwargs):
        if len(quick) == stop:
            raise KeyboardInterrupt
        return run(experiment, *arguments, **kwargs)

    monkeypatch.setattr(sweeping, "run_experiment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(chosen("parts"), silent)
    monkeypatch.setattr(sweeping, "run_experiment", run)
    said = []
    parts = sweep(chosen("parts"), said.append)
    # No trial was done twice.
    assert quick == rates and len(set(rates)) == 5
    assert outcome(parts) == outcome(whole)
    if stop:
        assert said[0].startswith(f"{stop} of 5 trials are done; best so far")
        assert said[1].startswith(f"trial {stop + 1}/5")
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
        patch.setattr(sweeping, "run_experiment", interrupted)
        with pytest.raises(RuntimeError, match="cleaning up"):
            sweep(settings(tmp_path), silent)
    found = sweep(settings(tmp_path), silent)
    assert [trial.error for trial in found.trials] == [None] * 4


def test_an_unfinished_trial_continues_within(tmp_path, monkeypatch, tuner):
    """Stopped behind its first epoch of two."""
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


def test_a_damaged_state_is_made_anew_from_the_finished_trials(tmp_path, quick):
    before = sweep(settings(tmp_path), silent)
    quick.clear()
    state = tmp_path / "tuner/oracle.json"
    state.write_text(state.read_text()[:100])
    said = []
    after = sweep(settings(tmp_path), said.append)
    assert not quick and outcome(after) == outcome(before)
    assert "is damaged" in said[0] and "made anew" in said[0]


def test_more_trials_go_on(tmp_path, quick):
    few = sweep(settings(tmp_path, trials=2), silent)
    quick.clear()
    more = sweep(settings(tmp_path, trials=12), silent)
    assert len(quick) == 10
    assert outcome(more)[:2] == outcome(few)
    assert [trial.number for trial in more.trials] == list(range(1, 13))
    # Fewer are no reason to forget any.
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
    with pytest.raises(ValueError, match=message) as error:
        sweep(settings(tmp_path, **changes), silent)
    assert "Choose another directory" in str(error.value)
    assert not quick and (tmp_path / "sweep.csv").read_text() == before


def test_a_space_that_is_used_up(tmp_path, quick):
    space = {RATE: {"values": [0.001, 0.01]}}
    said = []
    found = sweep(settings(tmp_path, space, trials=9), said.append)
    assert sorted(t.changes[RATE] for t in found.trials) == [0.001, 0.01]
    assert "finds nothing in the space that is new" in said[-1]
    assert found.best.changes == {RATE: 0.01}


# ----------------------------------------------------------------- failures


def test_trials_that_fail_are_told_and_stop_nothing(
    tmp_path, monkeypatch, quick
):
    run = sweeping.run_experiment
    errors = [
        DivergedError("training diverged: the loss is nan."),
        MemoryError("too large\nfor this machine"),
    ]

    def failing(experiment, *arguments, **kwargs):
        done = run(experiment, *arguments, **kwargs)
        if len(quick) > 1 and errors:
            raise errors.pop(0)
        return done

    monkeypatch.setattr(sweeping, "run_experiment", failing)
    said = []
    found = sweep(settings(tmp_path), said.append)
    assert [trial.error for trial in found.trials] == [
        None,
        "training diverged: the loss is nan.",
        "MemoryError: too large",
        None,
    ]
    assert "  failed: training diverged: the loss is nan." in said
    assert [t.score is None for t in found.ranked] == [False] * 2 + [True] * 2
    rows = sweep_rows(found)
    assert rows[2]["auc"] is None and "diverged" in rows[2]["error"]
    assert "failed" in format_sweep(found).splitlines()[3]
    # They are not tried again.
    quick.clear()
    assert outcome(sweep(settings(tmp_path), silent)) == outcome(found)
    assert not quick


def test_arguments_that_the_model_refuses(tmp_path, monkeypatch, quick):
    """`num_heads` must divide `token_dim`, says the model itself."""
    run = sweeping.run_experiment

    def building(experiment, data, seed, **kwargs):
        build_model(experiment, data.encoder.schema)
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(sweeping, "run_experiment", building)
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
    assert "the model refuses this: `num_heads`" in by_heads[7].error


def test_predictions_without_a_score(tmp_path, monkeypatch, quick):
    metrics = sweeping.evaluate_model

    def refusing(*arguments):
        if len(quick) == 2:
            raise ValueError("task 'click': predictions have NaN.")
        return metrics(*arguments)

    monkeypatch.setattr(sweeping, "evaluate_model", refusing)
    found = sweep(settings(tmp_path), silent)
    assert found.trials[1].error == "task 'click': predictions have NaN."


def test_errors_that_are_not_of_the_trial_stop_the_sweep(
    tmp_path, monkeypatch, quick
):
    run = sweeping.run_experiment
    for error in (
        OSError("disk full"),
        ValueError("resume.npz is damaged"),
        TypeError("a mistake in the program"),
    ):

        def broken(*_, error=error, **__):
            raise error

        monkeypatch.setattr(sweeping, "run_experiment", broken)
        with pytest.raises(type(error), match=str(error)):
            sweep(settings(tmp_path), silent)
    monkeypatch.setattr(sweeping, "run_experiment", run)
    assert len(sweep(settings(tmp_path), silent).trials) == 4


def test_a_sweep_of_failures(tmp_path, monkeypatch, quick):
    def diverging(*_, **__):
        raise DivergedError("the loss is nan.")

    monkeypatch.setattr(sweeping, "run_experiment", diverging)
    with pytest.raises(RuntimeError, match="all 4 trials failed.*loss is nan"):
        sweep(settings(tmp_path), silent)
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == 5
    assert not (tmp_path / "best.json").exists()


# ------------------------------------------------------------------ scoring


def test_without_binary_tasks_the_lowest_error_is_the_best(
    tmp_path, monkeypatch, quick
):
    table = datasets.synthetic.load(num_rows=60, num_users=10, num_items=9)
    schema = Schema([Categorical("user_id")], [Task("time", "regression")])
    encoder = Encoder(schema).fit(table.train)
    data = ExperimentData(encoder, table.train, table.validation, None)
    monkeypatch.setattr(sweeping, "load_data", lambda _: data)
    errors = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(
        sweeping, "evaluate_model", lambda *_: {"time": {"rmse": next(errors)}}
    )
    said = []
    found = sweep(settings(tmp_path, trials=3), said.append)
    assert found.metric == "rmse"
    assert [trial.number for trial in found.ranked] == [2, 3, 1]
    assert said[-1] == "  mean RMSE 2.0000; best so far 1.0000, trial 2"


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
    monkeypatch.setattr(sweeping, "load_data", lambda _: lacking)
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
    with pytest.raises(ValueError, match="`num_heads` must divide"):
        sweep(SweepSettings.from_dict(config), silent)
    assert not quick and not list(tmp_path.iterdir())


def test_without_keras_tuner(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(ImportError, match=r'"keras-infnet\[sweep\]"'):
        sweep(settings(tmp_path), silent)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the space


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
    # Evenly on a logarithmic scale: half of them below the middle.
    assert 0.3 < np.mean(rates < 1e-3) < 0.7
    assert set(drawn["training.epochs"]) == {1, 2, 3}
    assert {type(v) for v in drawn["training.epochs"]} == {int}
    assert 0.3 < np.mean(drawn["training.weight_decay"]) < 0.7
    assert set(drawn["model.loss_weighting"]) == {"uncertainty", "fixed"}
    assert {str(v) for v in drawn["model.tower_dims"]} == {"[4, 2]", "[]"}
    # Three digits are enough, for people too.
    assert all(float(f"{rate:.3g}") == rate for rate in rates)


def test_values_keep_their_kind(tmp_path, monkeypatch, quick):
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
    said = []
    found = sweep(settings(tmp_path, space, trials=2), said.append)
    assert min(t.changes[RATE] for t in found.trials) >= 0.01
    assert not any("as they are" in text for text in said)


def test_the_space_when_none_is_given():
    chosen = SweepSettings.from_dict({"data": {"dataset": "synthetic"}})
    assert chosen.space == {
        RATE: Range(5e-4, 4e-3, "log"),
        "training.embedding_learning_rate": Range(0.02, 0.2, "log"),
        "training.weight_decay": Range(1e-6, 1e-2, "log"),
    }
    assert chosen.directory == "runs/sweep"


def test_the_recipe_reads_presets_and_defaults(tmp_path):
    config = {
        **CONFIG,
        "model": {"name": "SharedBottom", "preset": "small", "dropout": 0.1},
        "sweep": {
            "space": {
                "model.hidden_dims": {"values": [[8]]},
                "model.embedding_dim": {"low": 2, "high": 8},
                "model.dropout": {"low": 0, "high": 1e-1},
                "model.preset": {"values": ["small", "base"]},
            }
        },
    }
    assert SweepSettings.from_dict(config).recipe == {
        "model.hidden_dims": [128, 64],
        "model.embedding_dim": 16,
        "model.dropout": 0.1,
        "model.preset": "small",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_settings_of_the_examples(path):
    chosen = SweepSettings.from_dict(load_settings(path))
    again = SweepSettings.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again == chosen
    # What the example starts from is among what it tries.
    assert all(
        found.holds(chosen.recipe[name]) for name, found in chosen.space.items()
    )


LOG = {"low": 1e-3, "high": 0.1, "scale": "log"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (3, r"\[sweep\] must be a table"),
        ({"trails": 3}, "'trails'.*Did you mean 'trials'"),
        ({"trials": 0}, "trials must be positive"),
        ({"trials": "3"}, r"\[sweep\] trials must be an integer"),
        ({"seed": -1}, "seed not negative"),
        ({"tuner": "baysian"}, "Did you mean 'bayesian'"),
        ({"tuner": "hyperband"}, "'hyperband' is not offered"),
        ({"space": {"trainig": {}}}, "'trainig'.*Did you mean 'training'"),
        ({"space": {"training": 3}}, "training must be a table of ranges"),
        (
            {"space": {"training": {"learning_rat": LOG}}},
            "Did you mean 'training.learning_rate'",
        ),
        (
            {"space": {"model.drop_out": {"low": 0, "high": 1}}},
            "Did you mean 'model.dropout'",
        ),
        ({"space": {"model.name": {"values": ["FM"]}}}, "compare` is for"),
        ({"space": {"training.seeds": {"values": [1]}}}, "choose noise"),
        ({"space": {RATE: LOG, "training": {"learning_rate": LOG}}}, "twice"),
        ({"space": {RATE: 0.1}}, "a range is a table"),
        ({"space": {RATE: {**LOG, "hi": 1}}}, "'hi'.*Did you mean 'high'"),
        ({"space": {RATE: {**LOG, "scale": "lg"}}}, "Did you mean 'log'"),
        ({"space": {RATE: {"low": 1}}}, "give `low` and `high`"),
        ({"space": {RATE: {"low": 1, "high": "2"}}}, "give `low` and `high`"),
        ({"space": {RATE: {"low": 2, "high": 1}}}, "must be below"),
        ({"space": {RATE: {**LOG, "low": 0}}}, "must be above 0"),
        ({"space": {RATE: {**LOG, "values": [1]}}}, "give either"),
        ({"space": {RATE: {"values": []}}}, "must be a list"),
        ({"space": {RATE: {"values": [0.1, 0.1]}}}, "must differ"),
        (
            {"space": {RATE: {"values": ["a"]}}},
            r"learning_rate: \[training\] learning_rate must be a number",
        ),
        (
            {"space": {RATE: {"low": -1, "high": 1}}},
            "`learning_rate` must be a number, above 0",
        ),
        (
            {"space": {"training.epochs": {"low": 0, "high": 2}}},
            "epochs must be a positive",
        ),
        (
            {"space": {"training.epochs": {"low": 1, "high": 2.5}}},
            "must be integers",
        ),
        (
            {"space": {"model.tower_dims": {"low": 1, "high": 2}}},
            "a list of int: give a list of `values`",
        ),
        (
            {"space": {"model.tower_dims": {"values": [8, 16]}}},
            "`tower_dims` of FM must be a list",
        ),
        ({"space": {"model.preset": {"values": ["smal"]}}}, "'small'"),
    ],
)
def test_wrong_settings(section, message):
    with pytest.raises(ValueError, match=message):
        SweepSettings.from_dict({**CONFIG, "sweep": section})


def test_scores_leave_out_what_is_not_defined():
    schema = Schema([Categorical("a")], [Task("x"), Task("y")])
    labels = {"x": [0, 1, 1], "y": [1, 1, 1]}
    predictions = {"x": [0.5, 0.6, 0.4], "y": [0.5, 0.6, 0.4]}
    found = evaluate(labels, predictions, None, schema)
    assert sweeping.mean_score(found) == ("auc", 0.5)
    assert sweeping.mean_score({"z": {"rmse": 2.0}}) == ("rmse", 2.0)
    assert sweeping.mean_score({}) is None
