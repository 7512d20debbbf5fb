"""Comparisons: metrics, costs, kept runs, files."""

import csv
import json
import types

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_comparisons import CONFIG, settings

from keras_infnet.evaluation.tensorflow_multiply_adds import UncountedError
from keras_infnet.experiments import (
    ComparisonSettings,
    compare,
    comparison_rows,
    format_comparison,
    load_data,
    write_comparison,
)
from keras_infnet.experiments.comparison import costs as comparison_costs
from keras_infnet.experiments.comparison import run_comparison
from keras_infnet.experiments.comparison.costs import Speed, measure_speeds


def same_speeds(settings, data):
    return dict.fromkeys(settings.labels, Speed(1e-3, 1e-6))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    messages = []
    chosen = settings(tmp_path_factory.mktemp("comparison"))
    return compare(chosen, messages.append), messages


def test_metrics_are_those_of_the_predictions(compared):
    """AUCs from scikit-learn, means and deviations over two seeds."""
    found, messages = compared
    assert len(messages) == 6  # two models, two seeds; a baseline; speed
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
    # Ids have four weights, with FM one more per task.
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


def test_uncountable_multiply_adds_are_left_out(compared, monkeypatch, caplog):
    def refuse(model):
        raise UncountedError("a kernel hides its products.")

    monkeypatch.setattr(comparison_costs, "multiply_adds", refuse)
    monkeypatch.setattr(run_comparison, "measure_speeds", same_speeds)
    again = compare(compared[0].settings, lambda _: None)
    assert [model.multiply_adds for model in again.models] == [None] * 3
    rows = comparison_rows(again)
    assert not any("multiply_adds_a_row" in row for row in rows)
    assert "MACs" not in format_comparison(again, rows, markdown=False)
    assert "FM" in caplog.text and "a kernel hides" in caplog.text


def test_speed_is_measured_in_turn(tmp_path, monkeypatch):
    """With a fake clock: compilation and one slow round do not count."""
    chosen = settings(tmp_path)
    data = load_data(chosen.data)
    clock, turns = [0.0], []

    class Model:
        def __init__(self, label):
            self.label, self.steps, self.rounds = label, 0, 0

        def train_on_batch(self, x, y, sample_weight):
            assert len(x["user_segment"]) == len(y["click"]) == 128
            self.steps += 1
            clock[0] += 100 if self.steps == 1 else 0.5

        def predict_on_batch(self, x):
            turns.append(self.label)
            self.rounds += 1
            assert self.steps == 3 * self.rounds
            slow = {1: 100, 3: 50}.get(self.rounds, 2)
            clock[0] += slow * (1 if self.label == "FM" else 2)
            self.rows = len(x["user_segment"])

    made = {label: Model(label) for label in chosen.labels}
    monkeypatch.setattr(
        comparison_costs, "served_model", lambda _, label, __: made[label]
    )
    by_hand = types.SimpleNamespace(perf_counter=lambda: clock[0])
    monkeypatch.setattr(comparison_costs, "time", by_hand)
    speeds = measure_speeds(chosen, data)
    assert turns == ["bottom", "FM"] * 6
    rows = made["FM"].rows
    assert rows == len(data.evaluated)
    assert speeds["FM"].train == speeds["bottom"].train == 0.5 / 128
    assert speeds["FM"].predict == 2 / rows
    assert speeds["bottom"].predict == 4 / rows


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
    found = run_comparison.Comparison(chosen, [], {"t": []}, {}, None, None)
    table = format_comparison(found, [row], markdown=False).splitlines()
    assert table[1].split() == ["model", "RMSE", "MACs/row", "runs"]
    assert table[2].split() == ["m", "1", text, "1"]


def test_finished_runs_are_reused(compared, monkeypatch):
    found, _ = compared

    def refuse(*_, **__):
        raise AssertionError("a run is repeated")

    monkeypatch.setattr(run_comparison, "run_experiment", refuse)
    monkeypatch.setattr(run_comparison, "predict_baseline", refuse)
    monkeypatch.setattr(run_comparison, "measure_speeds", same_speeds)
    messages = []
    again = compare(found.settings, messages.append)
    assert messages == ["Measuring the speed of training and prediction."]
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

    monkeypatch.setattr(run_comparison, "run_experiment", ask)
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
