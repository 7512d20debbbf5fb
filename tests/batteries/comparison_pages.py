"""Comparisons made without training, and a reader of their pages."""

import dataclasses
import html.parser
import re

import numpy as np

from keras_infnet.evaluation import evaluate
from keras_infnet.experiments import (
    Compared,
    Comparison,
    ComparisonSettings,
    comparison_rows,
    format_page,
)
from keras_infnet.schema import Categorical, Schema, Task

__all__ = ["HARD", "ONE_TASK", "Page", "diverged", "made", "read", "table_of"]

ROWS = 240
HARD = 'a <b>"hard"</b> & $x^2$ label'
FIELDS = [Categorical("item_id")]
ONE_TASK = [Task("click")]
VOID = {"meta", "br"}


def made(tmp_path, labels=("FM", HARD, "DCNv2"), tasks=None, seeds=(0, 1)):
    """A comparison without any training; the first model is the worst."""
    tasks = tasks or [Task("click"), Task("like")]
    schema = Schema(FIELDS, tasks)
    rng = np.random.default_rng(0)
    users = rng.integers(0, 30, ROWS)
    truth, weights = {}, {}
    for task in tasks:
        truth[task.name] = rng.normal(3, 1, ROWS)
        if task.kind == "binary":
            truth[task.name] = (rng.random(ROWS) < 0.4).astype(float)
        weights[task.name] = np.ones(ROWS)
    weights[tasks[0].name][:20] = 0.0
    models = []
    for place, label in enumerate(labels):
        runs, predictions = [], []
        for seed in seeds:
            predicted = {}
            for task in tasks:
                noise = rng.normal(0, 1, ROWS)
                score = place * truth[task.name] + noise
                if task.kind == "binary":
                    score = 1 / (1 + np.exp(-score))
                predicted[task.name] = score.astype(np.float32)
            predictions.append(predicted)
            runs.append(
                {
                    "label": label,
                    "seed": seed,
                    "error": None,
                    "seconds": 2.0,
                    "rows": 2000,
                    "epoch_rows": 1000,
                    "history": {
                        "loss": [0.7, 0.6],
                        "val_mean_auc": [0.6, 0.7 + place / 10],
                        "val_click_auc": [0.6, 0.7],
                    },
                    "curve": {
                        "rows": [500, 1000, 1500, 2000],
                        "loss": [0.9, 0.7, 0.65 - place / 50, 0.6 - seed / 9],
                    },
                    "metrics": evaluate(
                        truth, predicted, weights, schema, users
                    ),
                }
            )
        models.append(
            Compared(
                label,
                runs,
                predictions,
                parameters={"embedding": 20, "dense": 100 * (place + 1)},
                examples_a_second=1000.0 / (1 + place),
                microseconds=5.0 + place,
            )
        )
    settings = ComparisonSettings.from_dict(
        {
            "data": {"dataset": "synthetic", "options": {"num_rows": 900}},
            "models": [{"name": "FM", "label": label} for label in labels],
            "training": {"seeds": list(seeds), "epochs": 2},
            "resamples": 50,
            "directory": str(tmp_path / "kept"),
        }
    )
    return Comparison(settings, models, truth, weights, users, None)


def diverged(found, *labels):
    """All runs of some models as if they had diverged."""
    models = []
    for model in found.models:
        if model.label in labels:
            runs = [
                {
                    "label": model.label,
                    "seed": run["seed"],
                    "error": f"the <loss> of seed {run['seed']} is nan.",
                    "metrics": None,
                    "score": None,
                }
                for run in model.runs
            ]
            model = dataclasses.replace(model, runs=runs, predictions=[])
        models.append(model)
    return dataclasses.replace(found, models=models)


class Page(html.parser.HTMLParser):
    """Elements, checked to be closed in the order of their opening."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.found, self.tables, self.ids = [], [], {}, []
        self.text = self.caption = ""
        self.line = None
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.found.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr" and "tbody" in self.open:
            self.line = {"text": [], "values": [], "class": None}
            self.line["class"] = attributes.get("class")
            self.tables[self.caption].append(self.line)
        if self.line is not None and tag in ("th", "td"):
            self.line["text"].append("")
        if tag == "data" and self.line is not None:
            self.line["values"].append(float(attributes["value"]))
        if tag == "caption":
            self.caption = ""

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())
        if tag == "caption":
            self.tables[self.caption] = []
        if tag == "tr":
            self.line = None

    def handle_data(self, data):
        if "style" not in self.open and "svg" not in self.open:
            self.text += data
        if "caption" in self.open:
            self.caption += data
        if self.line is not None and "svg" not in self.open:
            if self.line["text"]:
                self.line["text"][-1] += data

    def labels(self, kind):
        """What is said of plots whose description has some words."""
        return [
            a["aria-label"]
            for tag, a in self.found
            if tag == "svg" and kind in a["aria-label"]
        ]


def read(found):
    rows = comparison_rows(found)
    text = format_page(found, rows)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    targets = re.findall(r'href="#([^"]+)"', text)
    targets += re.findall(r"url\(#([^)]+)\)", text)
    assert set(targets) <= set(page.ids)
    for tag, attributes in page.found:
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not attributes.keys() & {"src", "srcset", "data", "onclick"}
        assert attributes.get("href", "#").startswith("#")
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-label"]
    for foreign in ("http:", "https:", "@import", "file:", "NaN", "nan,"):
        assert foreign not in text
    return page, rows, text


def table_of(page, words):
    (caption,) = [name for name in page.tables if name.startswith(words)]
    return page.tables[caption]
