"""HTML page of a comparison."""

import dataclasses
import importlib.util
import logging

import numpy as np
import pytest
from comparison_pages import (
    HARD,
    ONE_TASK,
    diverged,
    made,
    read,
    table_of,
    values_of,
)

from keras_infnet.experiments import (
    comparison_rows,
    write_comparison,
    write_page,
)
from keras_infnet.schema import Task


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Page, rows and text of three models, two tasks and two seeds."""
    return read(made(tmp_path_factory.mktemp("page")))


def test_tables_have_the_numbers_of_the_rows(whole):
    page, rows, _ = whole
    columns = ("auc", "difference", "difference_low", "p_value", "gauc")
    columns += ("log_loss", "normalized_entropy", "calibration", "runs")
    costs = ("dense_parameters", "embedding_parameters")
    costs += ("multiply_adds_a_row", "examples_a_second", "microseconds_a_row")
    for task in ("click", "like"):
        mine = [row for row in rows if row["task"] == task]
        mine.sort(key=lambda row: -row["auc"])
        for row, line in zip(mine, table_of(page, task), strict=True):
            expected = [row[name] for name in columns if name in row]
            assert len(expected) == (6 if row["model"] == "FM" else 9)
            assert line["values"] == expected
            assert line["text"][0].startswith(row["model"])
            spread = f"{row['auc']:.4f} ± {row['auc_sd']:.4f}"
            assert line["text"][1] == spread
            assert (line["class"] == "reference") == (row["model"] == "FM")
            if row["model"] != "FM":
                low, high = row["difference_low"], row["difference_high"]
                assert line["text"][4] == f"{low:+.4f} to {high:+.4f}"
    lines = table_of(page, "All tasks")
    assert [line["text"][0] for line in lines] == [
        "DCNv2",
        HARD,
        "FM reference",
    ]
    by_place = {(row["task"], row["model"]): row for row in rows}
    for line in lines:
        label = line["text"][0].removesuffix(" reference")
        aucs = [by_place[t, label]["auc"] for t in ("click", "like")]
        assert line["values"] == pytest.approx(
            [
                np.mean(aucs),
                *aucs,
                *(by_place["click", label][name] for name in costs),
            ]
        )


def test_significant_differences_are_marked_by_sign_and_word(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    settings = dataclasses.replace(found.settings, reference=HARD)
    level = dataclasses.replace(found.models[1], label="as good")
    found = dataclasses.replace(
        found, settings=settings, models=[*found.models, level]
    )
    page, rows, _ = read(found)
    lines = table_of(page, "click")
    marks = {line["text"][0]: line["text"][2] for line in lines}
    assert marks == {
        "DCNv2": "▲ better",
        f"{HARD} reference": "",
        "as good": "≈ tied",
        "FM": "▼ worse",
    }
    p_values = {row["model"]: row.get("p_value") for row in rows}
    assert p_values["DCNv2"] < 0.05 and p_values["as good"] == 1.0
    assert "1 better, 1 worse, 1 tied" in page.text
    signs = [line["text"][1][-1] for line in table_of(page, "All tasks")]
    assert signs[0] == "▲" and signs[-1] == "▼"
    assert not {"▲", "▼", "≈"} & set(signs[1:3])


def test_curves_have_the_numbers_of_the_runs(whole):
    page, _, _ = whole
    for label in ("FM", HARD, "DCNv2"):
        for words in (
            "training loss ends at",
            "validation mean AUC ends at",
            "validation AUC of click ends at",
        ):
            ((_, model, _),) = page.charts(f"{label}: {words}")
            assert model == label
    # Means of two seeds: 0.6 and 0.6 - 1 / 9; 0.7 + 2 / 10.
    ((words, _, spec),) = page.charts("DCNv2: training loss")
    assert words.endswith("ends at 0.5444, FM at 0.5444")
    points = values_of(spec, "DCNv2")
    assert [point["x"] for point in points] == [500, 1000, 1500, 2000]
    last = points[-1]
    assert last["y"] == pytest.approx(0.6 - 1 / 18)
    assert (last["low"], last["high"]) == pytest.approx((0.6 - 1 / 9, 0.6))
    ((words, _, spec),) = page.charts("DCNv2: validation mean AUC")
    assert words.endswith("ends at 0.9, FM at 0.7")
    points = values_of(spec, "DCNv2")
    assert [(p["x"], p["y"]) for p in points] == [
        (1, 0.6),
        (2, pytest.approx(0.9)),
    ]
    assert not page.charts("of like ends at")  # no such metric in the logs


def test_costs_have_the_numbers_of_the_rows(whole):
    page, rows, _ = whole
    for task in ("click", "like"):
        for cost in ("microseconds", "multiply-adds"):
            assert len(page.charts(f"{task}: AUC against {cost}")) == 1
        ((_, _, spec),) = page.charts(f"{task}: AUC against dense weights")
        base = next(
            r["auc"] for r in rows if (r["task"], r["model"]) == (task, "FM")
        )
        for row in rows:
            if row["task"] != task:
                continue
            (point,) = values_of(spec, row["model"])
            assert point["y"] == row["auc"]
            assert point["cost"] == row["dense_parameters"]
            assert point["is_reference"] == (row["model"] == "FM")
            # Each model costs more than the one before, and is better.
            assert point["on_front"]
            if row["model"] != "FM":
                low, high = row["difference_low"], row["difference_high"]
                assert (point["low"], point["high"]) == (
                    base + low,
                    base + high,
                )


def test_calibration_has_the_predictions(whole):
    page, _, _ = whole
    for task in ("click", "like"):
        for label in ("FM", HARD, "DCNv2"):
            ((_, model, spec),) = page.charts(f"{label}, {task}: predicted")
            points = values_of(spec, label)
            assert model == label and len(points) == 10
            assert all(p["low"] <= p["y"] <= p["high"] for p in points)


def test_charts_are_drawn_by_vega_lite(whole, tmp_path):
    """One of each kind, by the program that the page carries."""
    vl_convert = pytest.importorskip("vl_convert")
    page, _, text = whole
    assert "vegaEmbed" in page.scripts[0] or "draw" in page.scripts[0]
    assert len(text) < 2_000_000
    for words in ("FM: training loss", "click: AUC against dense", "FM, click"):
        _, model, spec = page.charts(words)[0]
        shown = [{"name": "shown", "value": model}]
        svg = vl_convert.vegalite_to_svg(
            {**spec, "width": 300, "params": shown}
        )
        assert svg.count("<path") > 5


def test_settings_and_data_are_shown(whole):
    page, _, _ = whole
    for words in (
        "3 models on synthetic",
        "num_rows 900",
        "1,000 per epoch",
        "240: click 220 labels",
        "batch_size 512, epochs 2",
        "50 resamples of users",
        "the unchanged recipe, no search",
        "keras-infnet",
    ):
        assert words in page.text


def test_labels_are_escaped(whole):
    page, _, text = whole
    assert HARD in page.text and "<b>&#34;hard" not in text
    assert '<b>"hard"' not in text and '<b>\\"hard' not in text
    ((_, model, spec),) = page.charts(f"{HARD}: training loss")
    assert model == HARD and values_of(spec, HARD)


def test_trials_and_the_chosen_one(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    trials = [{"score": 0.61}, {"learning_rate": 0.002, "score": 0.63}]
    lost = [{"score": 0.6}, {"learning_rate": 0.002, "score": None}]
    models = [
        dataclasses.replace(
            found.models[0], trials=trials, chosen={"learning_rate": 0.002}
        ),
        dataclasses.replace(found.models[1], trials=lost),
        found.models[2],
    ]
    page, _, _ = read(dataclasses.replace(found, models=models))
    lines = table_of(page, "Score of each trial")
    assert [line["text"] for line in lines] == [
        ["FM", "0.6100", "0.6300 ★"],
        [HARD, "0.6000 ★", "no score"],
    ]
    recipes = table_of(page, "Models and their recipes")
    assert recipes[0]["text"][-2:] == ["learning_rate 0.002", "0, 1"]


def test_diverged_runs_have_seed_and_error(tmp_path):
    page, _, _ = read(diverged(made(tmp_path), HARD))
    assert [line["text"] for line in table_of(page, "Runs that")] == [
        [HARD, "0", "the <loss> of seed 0 is nan."],
        [HARD, "1", "the <loss> of seed 1 is nan."],
    ]
    last = table_of(page, "click")[-1]
    assert last["text"][0] == f"{HARD} 2 of 2 diverged"
    assert not page.charts(f"{HARD}, click: predicted")
    assert "No training loss was recorded for " + HARD in page.text


def test_a_reference_that_diverged(tmp_path):
    page, _, _ = read(diverged(made(tmp_path, tasks=ONE_TASK), "FM"))
    assert "▲" not in page.text and "p <" not in page.text
    assert len(page.charts("predicted against observed")) == 2
    assert len(page.charts("AUC against")) == 3
    assert "standard deviations over seeds" in page.text


def test_nothing_but_runs_that_diverged(tmp_path):
    found = made(tmp_path)
    page, _, _ = read(diverged(found, *found.settings.labels))
    assert page.text.count("no model has a result") == 2
    assert not page.charts("predicted") and not page.charts("against")
    assert len(table_of(page, "Runs that")) == 6


def test_one_model_and_one_seed(tmp_path):
    page, rows, _ = read(
        made(tmp_path, labels=("FM",), tasks=ONE_TASK, seeds=(3,))
    )
    (line,) = table_of(page, "click")
    assert line["values"][0] == rows[0]["auc"]
    assert "1 model on synthetic" in page.text and "±" not in line["text"][1]
    assert len(page.charts("FM: training loss")) == 1


def test_rows_of_a_search_stage(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    assert "search stage" not in read(found)[0].text
    for run in found.models[1].runs:
        run["rows"] = 5000  # two epochs of a thousand have a curve
    page, _, _ = read(found)
    assert page.text.count("search stage") == 1
    assert "read 3,000 rows before its curve" in page.text


def test_baselines_have_no_cost_and_are_lines(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    fitted = dataclasses.replace(
        found.models[2],
        label="logistic_regression",
        runs=[{**found.models[2].runs[0], "curve": None, "history": None}],
        predictions=found.models[2].predictions[:1],
        parameters={},
        microseconds=None,
        multiply_adds=None,
    )
    models = [*found.models[:2], fitted]
    page, _, _ = read(dataclasses.replace(found, models=models))
    assert len(page.charts("logistic_regression, click: predicted")) == 1
    for _, _, spec in page.charts("AUC against"):
        (point,) = values_of(spec, "logistic_regression")
        assert point["cost"] is None and not point["on_front"]
    assert not page.charts("logistic_regression: training")
    assert "recorded for DCNv2." in page.text


def test_regression_tasks(tmp_path):
    tasks = [Task("price", kind="regression"), Task("click")]
    page, rows, _ = read(made(tmp_path, tasks=tasks))
    lines = table_of(page, "price")
    mine = [row for row in rows if row["task"] == "price"]
    mine.sort(key=lambda row: row["rmse"])
    assert [line["values"][:2] for line in lines] == [
        [row["rmse"], row["r2"]] for row in mine
    ]
    assert len(page.charts("price: RMSE against")) == 3
    assert len(page.charts(", price: predicted")) == 3
    alone, _, _ = read(made(tmp_path, tasks=tasks[:1]))
    assert "RMSE" in alone.text and "AUC" not in alone.text


def test_a_task_without_labels(tmp_path):
    found = made(tmp_path)
    found.weights["like"][:] = 0.0
    for model in found.models:
        for run in model.runs:
            # As they come back from the file of a run.
            run["metrics"]["like"] |= dict.fromkeys(
                ("auc", "gauc", "log_loss", "calibration"), None
            )
    page, _, _ = read(found)
    assert "like 0 labels" in page.text and "undefined" in page.text
    assert "like: no model has a result" in page.text
    assert not page.charts(", like: predicted")


def test_without_vl_convert_the_other_files_are_written(
    tmp_path, monkeypatch, caplog
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "vl_convert" else find(name),
    )
    found = made(tmp_path)
    rows = comparison_rows(found)
    with caplog.at_level(logging.WARNING, "keras_infnet"):
        paths = write_comparison(found, rows)
    assert [path.suffix for path in paths] == [".md", ".csv", ".json"]
    (line,) = caplog.messages
    assert "comparison.html" in line and "[plot]" in line
    with pytest.raises(ImportError, match=r"\[plot\]"):
        write_page(found, rows)
    assert not (tmp_path / "kept/comparison.html").exists()
