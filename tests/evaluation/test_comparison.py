"""Models compared on the same rows, run by run."""

import csv
import json
import pathlib

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from keras_infnet.data import Batches
from keras_infnet.evaluation import (
    ComparisonSettings,
    SearchSettings,
    auc_difference_interval,
    compare,
    comparison,
    comparison_costs,
    comparison_rows,
    experiment,
    format_comparison,
    load_settings,
    write_comparison,
)
from keras_infnet.evaluation.experiment import DivergedError
from keras_infnet.evaluation.graph_products import UncountedError

EXAMPLES = sorted(
    (pathlib.Path(__file__).parents[2] / "examples/comparisons").glob("*.toml")
)
CONFIG = {
    "data": {
        "dataset": "synthetic",
        "options": {"num_users": 60, "num_items": 40, "num_rows": 900},
    },
    "training": {"seeds": [0, 1], "batch_size": 128},
    "evaluation": {"baselines": ["logistic_regression"]},
    "models": [
        {
            "label": "bottom",
            "name": "SharedBottom",
            "hidden_dims": [8],
            "tower_dims": [],
            "embedding_dim": 4,
        },
        {"name": "FM", "embedding_dim": 4},
    ],
    "resamples": 20,
}


def settings(tmp_path, **changes):
    config = {**CONFIG, "directory": str(tmp_path / "kept"), **changes}
    return ComparisonSettings.from_dict(config)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    said = []
    chosen = settings(tmp_path_factory.mktemp("comparison"))
    return compare(chosen, said.append), said


def test_metrics_are_those_of_the_predictions(compared):
    """AUCs by scikit-learn, means and deviations over two seeds."""
    found, said = compared
    assert len(said) == 5  # two models, two seeds; a baseline
    rows = {(r["task"], r["model"]): r for r in comparison_rows(found)}
    assert len(rows) == 9
    for model in found.models:
        for task in ("click", "like", "purchase"):
            known = found.weights[task] > 0
            aucs = [
                roc_auc_score(found.labels[task][known], p[task][known])
                for p in model.predictions
            ]
            row = rows[task, model.label]
            assert row["auc"] == pytest.approx(np.mean(aucs), abs=1e-6)
            if len(aucs) > 1:
                deviation = np.std(aucs, ddof=1)
                assert row["auc_sd"] == pytest.approx(deviation, abs=1e-6)
            else:
                assert "auc_sd" not in row
    # Seeds differ, and models.
    first, second = found.models[0].predictions
    assert np.abs(first["click"] - second["click"]).max() > 1e-4


def test_the_reference_is_compared_with_and_not_with_itself(compared):
    found, _ = compared
    assert found.reference == "bottom"
    for row in comparison_rows(found):
        if row["model"] == "bottom":
            assert "difference" not in row
            assert row["dense_parameters"] > 0
            assert row["microseconds_a_row"] > 0
            assert row["examples_a_second"] > 0
            continue
        low, high = row["difference_low"], row["difference_high"]
        assert low <= high and 0 < row["p_value"] <= 1


def test_parameters_by_hand(compared):
    found, _ = compared
    bottom, fm, baseline = found.models
    assert baseline.parameters == {} and baseline.microseconds is None
    # Every id has four numbers, and with FM one a task besides.
    tables = bottom.parameters["embedding"] // 4
    assert fm.parameters["embedding"] >= tables * 7
    assert fm.parameters["dense"] == 3 + 4 * 3


def test_multiply_adds_by_hand(compared):
    found, _ = compared
    bottom, fm, baseline = found.models
    # 20, 10 and 5 events of three ids each; nine fields beside their means.
    events, width, tasks = 3 * (20 + 10 + 5), 4 * (9 + 3 * 3), 3
    bottom_costs = events * 4 + width * 8 + tasks * 8
    fm_costs = events * 4 + events * tasks + 4 * tasks
    assert bottom.multiply_adds == bottom_costs == 1020
    assert fm.multiply_adds == fm_costs and baseline.multiply_adds is None
    rows = comparison_rows(found)
    for row in rows:
        expected = {"bottom": bottom_costs, "FM": fm_costs}.get(row["model"])
        assert row.get("multiply_adds_a_row") == expected
    lines = format_comparison(found, rows, markdown=True).splitlines()
    column = [c.strip() for c in lines[2].split("|")].index("MACs/row")
    cells = {
        cells[1].strip(): cells[column].strip()
        for cells in (line.split("|") for line in lines[4:7])
    }
    assert cells == {"bottom": "1.02k", "FM": "747", "logistic_regression": ""}


def test_products_that_cannot_be_counted_stop_nothing(
    compared, monkeypatch, caplog
):
    def refuse(model):
        raise UncountedError("a kernel hides its products.")

    monkeypatch.setattr(comparison_costs, "multiply_adds", refuse)
    again = compare(compared[0].settings, lambda _: None)
    assert [model.multiply_adds for model in again.models] == [None] * 3
    rows = comparison_rows(again)
    assert not any("multiply_adds_a_row" in row for row in rows)
    assert "MACs" not in format_comparison(again, rows, markdown=False)
    assert "FM are not counted: a kernel hides" in caplog.text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (4_560_000_000, "4.56G"),
    ],
)
def test_counts_are_short(count, text):
    row = {"task": "t", "model": "m", "runs": 1, "diverged": 0, "rmse": 1.0}
    row["multiply_adds_a_row"] = count
    chosen = ComparisonSettings.from_dict(CONFIG)
    found = comparison.Comparison(chosen, [], {"t": []}, {}, None, None)
    table = format_comparison(found, [row], markdown=False).splitlines()
    assert table[1].split() == ["model", "RMSE", "MACs/row"]
    assert table[2].split() == ["m", "1", text, "1"]


def test_finished_runs_are_not_done_again(compared, monkeypatch):
    found, _ = compared

    def refuse(*_, **__):
        raise AssertionError("a run is done twice")

    monkeypatch.setattr(comparison, "run_experiment", refuse)
    monkeypatch.setattr(comparison, "predict_baseline", refuse)
    said = []
    again = compare(found.settings, said.append)
    assert not said
    for before, after in zip(found.models, again.models, strict=True):
        for one, two in zip(before.predictions, after.predictions, strict=True):
            np.testing.assert_array_equal(one["click"], two["click"])
        assert [r["metrics"] for r in after.runs] == [
            json.loads(json.dumps(r["metrics"])) for r in before.runs
        ]


def test_other_data_and_other_recipes_are_other_runs(compared, monkeypatch):
    found, _ = compared

    class Asked(Exception):
        pass

    def ask(*_, **__):
        raise Asked

    monkeypatch.setattr(comparison, "run_experiment", ask)
    kept = found.settings.directory
    data = {**CONFIG["data"]["options"], "seed": 1}
    for change in (
        {"data": {"dataset": "synthetic", "options": data}},
        {"training": {**CONFIG["training"], "learning_rate": 0.002}},
        {"training": {**CONFIG["training"], "seeds": [2]}},
        {"models": [{**CONFIG["models"][1], "embedding_dim": 5}]},
    ):
        config = {**CONFIG, "directory": kept, **change}
        with pytest.raises(Asked):
            compare(ComparisonSettings.from_dict(config), lambda _: None)


def test_an_interrupted_comparison_continues(tmp_path, monkeypatch):
    run, done = comparison.run_experiment, []

    def interrupted(experiment, data, seed, **kwargs):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(seed)
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(comparison, "run_experiment", interrupted)
    chosen = settings(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        compare(chosen, lambda _: None)
    monkeypatch.setattr(comparison, "run_experiment", run)
    said = []
    compare(chosen, said.append)
    assert said[0].startswith("[2/5] bottom, seed 1")
    assert len(said) == 4


def test_runs_that_diverge_are_told_and_stop_nothing(tmp_path, monkeypatch):
    run = comparison.run_experiment

    def diverging(experiment, data, seed, **kwargs):
        if experiment.model["name"] == "FM" and seed == 1:
            raise DivergedError("training diverged: the loss is nan.")
        return run(experiment, data, seed, **kwargs)

    monkeypatch.setattr(comparison, "run_experiment", diverging)
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
    run, seen = comparison.run_experiment, []

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

    monkeypatch.setattr(comparison, "run_experiment", spied)
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
    assert len(seen) == 8 and "[8/8]" in said[-1]
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


def test_files(compared):
    found, _ = compared
    rows = comparison_rows(found)
    paths = write_comparison(found, rows)
    assert [p.name for p in paths] == [
        "comparison.md",
        "comparison.csv",
        "comparison.json",
        "comparison.html",
    ]
    with paths[1].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(r["auc"]) for r in table] == [r["auc"] for r in rows]
    kept = json.loads(paths[2].read_text())
    assert kept["reference"] == "bottom" and len(kept["rows"]) == 9
    text = paths[0].read_text()
    assert text.count("### ") == 3 and "best reachable AUC" in text
    # The best comes first.
    click = [r for r in rows if r["task"] == "click"]
    best = max(click, key=lambda r: r["auc"])["model"]
    assert text.split("\n")[4].startswith(f"| {best} |")
    assert not list(paths[0].parent.glob("*.tmp"))


def test_difference_by_resampling_by_hand():
    """Against scikit-learn on resamples drawn as documented."""
    rng = np.random.default_rng(3)
    # Numbered as they appear, as the resamples number them.
    users = pd.factorize(rng.integers(0, 12, 300))[0]
    labels = (rng.random(300) < 0.4).astype(float)
    mine = labels + rng.normal(0, 1.0, 300)
    other = labels + rng.normal(0, 2.0, (2, 300))
    found = auc_difference_interval(
        labels, mine, other, users, num_resamples=50, seed=5
    )
    generator = np.random.default_rng(5)
    differences = []
    for _ in range(50):
        drawn = np.bincount(generator.integers(0, 12, 12), minlength=12)
        weights = drawn[users]

        def area(scores, weights=weights):
            return roc_auc_score(labels, scores, sample_weight=weights)

        differences.append(area(mine) - np.mean([area(o) for o in other]))
    low, high = np.quantile(differences, [0.025, 0.975])
    expected = roc_auc_score(labels, mine) - np.mean(
        [roc_auc_score(labels, o) for o in other]
    )
    below = (1 + np.sum(np.array(differences) <= 0)) / 51
    above = (1 + np.sum(np.array(differences) >= 0)) / 51
    np.testing.assert_allclose(
        found, (expected, low, high, 2 * min(below, above)), rtol=1e-9
    )


def test_no_difference_from_itself():
    labels, scores = [0, 1, 1, 0, 1], [0.1, 0.2, 0.9, 0.3, 0.4]
    found = auc_difference_interval(labels, scores, scores, num_resamples=30)
    assert found == (0.0, 0.0, 0.0, 1.0)
    assert np.isnan(auc_difference_interval([1, 1], [1, 2], [1, 2])).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": []}, r"at least one \[\[models\]\]"),
        ({"models": [{"preset": "small"}]}, "each with a `name`"),
        ({"models": {"name": "FM"}}, r"each as \[\[models\]\]"),
        ({"models": [{"name": "DCN2"}]}, "model 'DCN2'.*'DCNv2'"),
        ({"models": [{"name": "FM", "dim": 3}]}, "key of .model. 'dim'"),
        ({"models": [{"name": "FM"}] * 2}, "two models are called 'FM'"),
        ({"reference": "Bottom"}, "reference 'Bottom'.*'bottom'"),
        ({"resamples": 0}, "`resamples`"),
        ({"search": {"trial": 3}}, "'trial'.*'trials'"),
        ({"search": {"trials": 0}}, "trials must be positive"),
        ({"search": {"learning_rate": [2, 1]}}, "the smaller one first"),
        ({"search": {"learning_rate": [0, 1]}}, "two positive numbers"),
        ({"search": 3}, r"\[search\] must be a table"),
        ({"modles": []}, "'modles'.*'models'"),
        (
            {"evaluation": {"baselines": ["shared_bottom"]}},
            r"SharedBottom under \[\[models\]\]",
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

    monkeypatch.setattr(comparison, "run_experiment", refuse)
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
    assert ["AutoIFS" in line for line in said] == [True]
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
    predict = comparison.predict_rows

    def broken(model, rows):
        found = predict(model, rows)
        if type(model).__name__ == "FM":
            found["click"][0] = np.nan
        return found

    monkeypatch.setattr(comparison, "predict_rows", broken)
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
    predicted = comparison.run_experiment

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

    monkeypatch.setattr(comparison, "run_experiment", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare(settings(tmp_path / "stopped", **changes), lambda _: None)
    monkeypatch.setattr(comparison, "run_experiment", predicted)
    found = compare(settings(tmp_path / "stopped", **changes), lambda _: None)
    mine, theirs = found.models[0].runs[0], whole.models[0].runs[0]
    assert len(mine["history"]["loss"]) == 3
    for name, values in theirs["history"].items():
        assert mine["history"][name] == pytest.approx(values), name
    assert mine["curve"] == theirs["curve"]
    assert mine["seconds"] is None and theirs["seconds"] > 0
