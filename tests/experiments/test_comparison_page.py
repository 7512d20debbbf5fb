"""The page of a comparison, read as a browser reads it."""

import dataclasses
import importlib.util
import logging

import matplotlib
import numpy as np
import pytest
from comparison_pages import (
    HARD,
    ONE_TASK,
    Page,
    diverged,
    made,
    read,
    table_of,
)

from keras_infnet.experiments import (
    comparison_rows,
    format_page,
    write_comparison,
    write_page,
)
from keras_infnet.schema import Task


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Page, rows and text of three models, two tasks and two seeds."""
    return read(made(tmp_path_factory.mktemp("page")))


def test_numbers_are_those_of_the_rows(whole):
    page, rows, _ = whole
    columns = ("auc", "auc_sd", "difference", "difference_low")
    columns += ("difference_high", "p_value", "gauc", "gauc_sd", "log_loss")
    columns += ("normalized_entropy", "calibration", "runs")
    costs = ("dense_parameters", "embedding_parameters")
    costs += ("examples_a_second", "microseconds_a_row")
    for task in ("click", "like"):
        mine = [row for row in rows if row["task"] == task]
        mine.sort(key=lambda row: -row["auc"])
        lines = table_of(page, f"{task}: mean")
        for row, line in zip(mine, lines, strict=True):
            expected = [row[name] for name in columns if name in row]
            assert len(expected) == (8 if row["model"] == "FM" else 12)
            assert line["values"] == expected
            assert line["text"][0].startswith(row["model"])
            assert line["text"][1].startswith(f"{row['auc']:.4f}")
            assert (line["class"] == "reference") == (row["model"] == "FM")
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
    lines = table_of(page, "click: mean")
    marks = {line["text"][0]: line["text"][2] for line in lines}
    assert marks == {
        "DCNv2": "▲ better",
        f"{HARD} reference": "",
        "as good": "≈ level",
        "FM": "▼ worse",
    }
    p_values = {row["model"]: row.get("p_value") for row in rows}
    assert p_values["DCNv2"] < 0.05 and p_values["as good"] == 1.0
    assert "1 better, 1 worse, 1 level" in page.text
    signs = [line["text"][1][0] for line in table_of(page, "All tasks")]
    assert signs == ["▲", "0", "0", "▼"]


def test_every_model_has_its_panels_and_every_cost_its_plot(whole):
    page, _, _ = whole
    for label in ("FM", HARD, "DCNv2"):
        for words in (
            "training loss ends at",
            "validation mean AUC ends at",
            "validation AUC of click ends at",
        ):
            assert len(page.labels(f"{label}: {words}")) == 1
        for task in ("click", "like"):
            assert len(page.labels(f"{label}, {task}: predicted")) == 1
    # Means of two seeds: 0.6 and 0.6 - 1 / 9; 0.7 + 2 / 10.
    (words,) = page.labels("DCNv2: training loss")
    assert words.endswith("ends at 0.5444, that of FM at 0.5444")
    (words,) = page.labels("DCNv2: validation mean AUC")
    assert words.endswith("ends at 0.9, that of FM at 0.7")
    assert not page.labels("of like ends at")  # no such thing in the logs
    for task in ("click", "like"):
        assert len(page.labels(f"{task}: AUC against dense weights")) == 1
        assert len(page.labels(f"{task}: AUC against microseconds")) == 1
    assert not page.labels("multiply-adds")


def test_what_was_compared_is_told(whole):
    page, _, _ = whole
    for words in (
        "3 models on synthetic",
        "num_rows 900",
        "1,000 an epoch",
        "240: click 220 labels",
        "batch_size 512, epochs 2",
        "50 resamples of users",
        "the recipe as it is, no search",
        "keras-infnet",
    ):
        assert words in page.text


def test_labels_are_text_whatever_is_in_them(whole):
    page, _, text = whole
    assert HARD in page.text and "<b>&quot;hard" not in text
    assert '<b>"hard"</b>' not in text
    # No formula in a plot either.
    assert "$x^2$" in text and "𝑥" not in text


def test_more_costs_have_plots_and_columns(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    rows = comparison_rows(found)
    for row in rows:
        row["multiply_adds_a_row"] = 1000 * len(row["model"])
    page = Page(format_page(found, rows))
    assert len(page.labels("AUC against multiply-adds a row")) == 1
    assert 2000.0 in table_of(page, "All tasks")[-1]["values"]


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
        ["FM", "0.6100", "★ 0.6300"],
        [HARD, "★ 0.6000", "no score"],
    ]
    recipes = table_of(page, "Models and their recipes")
    assert recipes[0]["text"][-2:] == ["learning_rate 0.002", "0, 1"]


def test_runs_that_diverge_are_told_with_seed_and_error(tmp_path):
    page, _, _ = read(diverged(made(tmp_path), HARD))
    assert [line["text"] for line in table_of(page, "Runs that")] == [
        [HARD, "0", "the <loss> of seed 0 is nan."],
        [HARD, "1", "the <loss> of seed 1 is nan."],
    ]
    last = table_of(page, "click: mean")[-1]
    assert last["text"][0] == f"{HARD} 2 of 2 diverged"
    assert not page.labels(f"{HARD}, click: predicted")
    assert "is not kept of " + HARD in page.text


def test_a_reference_that_diverged(tmp_path):
    page, _, _ = read(diverged(made(tmp_path, tasks=ONE_TASK), "FM"))
    assert "▲" not in page.text and "p below" not in page.text
    assert len(page.labels("predicted against observed")) == 2
    assert len(page.labels("AUC against")) == 2
    assert "standard deviations over seeds" in page.text


def test_nothing_but_runs_that_diverged(tmp_path):
    found = made(tmp_path)
    page, _, _ = read(diverged(found, *found.settings.labels))
    assert page.text.count("nothing was measured") == 2
    assert not page.labels("predicted") and not page.labels("against")
    assert len(table_of(page, "Runs that")) == 6


def test_one_model_and_one_seed(tmp_path):
    page, rows, _ = read(
        made(tmp_path, labels=("FM",), tasks=ONE_TASK, seeds=(3,))
    )
    (line,) = table_of(page, "click: mean")
    assert line["values"][0] == rows[0]["auc"]
    assert "1 model on synthetic" in page.text and "±" not in line["text"][1]
    assert len(page.labels("FM: training loss")) == 1
    assert "one seed" in page.text


def test_runs_of_an_earlier_version(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    for model in found.models:
        for run in model.runs:
            del run["curve"]
            run["history"] = {"loss": [0.5]}
    page, _, _ = read(found)
    assert not page.labels("ends at")
    assert "The course of the training loss is not kept of" in page.text


def test_rows_of_a_search_are_told_of(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    assert "searched on" not in read(found)[0].text
    for run in found.models[1].runs:
        run["rows"] = 5000  # two epochs of a thousand have a curve
    page, _, _ = read(found)
    assert page.text.count("searched on") == 1
    assert "searched on 3,000 rows before its curve" in page.text


def test_baselines_have_no_cost_and_are_lines(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    fitted = dataclasses.replace(
        found.models[2],
        label="logistic_regression",
        runs=[{**found.models[2].runs[0], "curve": None, "history": None}],
        predictions=found.models[2].predictions[:1],
        parameters={},
        microseconds=None,
    )
    models = [*found.models[:2], fitted]
    page, _, text = read(dataclasses.replace(found, models=models))
    assert len(page.labels("logistic_regression, click: predicted")) == 1
    assert text.count(">logistic_regression</text>") == 2  # in each plot
    assert not page.labels("logistic_regression: training")
    assert "not kept" not in page.text.replace("not kept of DCNv2", "")


def test_regression_tasks(tmp_path):
    tasks = [Task("price", kind="regression"), Task("click")]
    page, rows, _ = read(made(tmp_path, tasks=tasks))
    lines = table_of(page, "price: mean")
    mine = [row for row in rows if row["task"] == "price"]
    mine.sort(key=lambda row: row["rmse"])
    assert [line["values"][:4] for line in lines] == [
        [row[n] for n in ("rmse", "rmse_sd", "r2", "r2_sd")] for row in mine
    ]
    assert len(page.labels("price: RMSE against")) == 2
    assert len(page.labels(", price: predicted")) == 3
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
    assert "like: nothing was measured" in page.text
    assert not page.labels(", like: predicted")


def test_equal_input_gives_equal_text(tmp_path):
    found = made(tmp_path, tasks=ONE_TASK)
    rows = comparison_rows(found)
    once = format_page(found, rows)
    with matplotlib.rc_context({"font.size": 30.0, "axes.grid": True}):
        assert format_page(found, rows) == once
        assert matplotlib.rcParams["font.size"] == 30.0


def test_letters_that_the_font_lacks_do_not_warn(tmp_path):
    _, _, text = read(
        made(tmp_path, labels=("FM", "模型"), tasks=ONE_TASK, seeds=(0,))
    )
    assert ">模型</text>" in text


def test_without_matplotlib_the_other_files_are_written(
    tmp_path, monkeypatch, caplog
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "matplotlib" else find(name),
    )
    found = made(tmp_path)
    rows = comparison_rows(found)
    with caplog.at_level(logging.WARNING, "keras_infnet"):
        paths = write_comparison(found, rows)
    assert [path.suffix for path in paths] == [".md", ".csv", ".json"]
    (line,) = caplog.messages
    assert "comparison.html" in line and "keras-infnet[plot]" in line
    with pytest.raises(ImportError, match=r"keras-infnet\[plot\]"):
        write_page(found, rows)
    assert not (tmp_path / "kept/comparison.html").exists()


def test_the_page_is_written_beside_the_tables(tmp_path):
    found = made(tmp_path, labels=("FM",), seeds=(0,))
    rows = comparison_rows(found)
    path = write_comparison(found, rows)[-1]
    assert path == tmp_path / "kept/comparison.html"
    assert path.read_text("utf-8") == format_page(found, rows)
