"""Comparisons made without training, and a reader of their pages."""

import dataclasses
import html.parser
import json

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

__all__ = [
    "HARD",
    "ONE_TASK",
    "Page",
    "diverged",
    "made",
    "read",
    "table_of",
    "values_of",
]

ROWS = 240
HARD = 'a <b>"hard"</b> & $x^2$ label'
FIELDS = [Categorical("item_id")]
ONE_TASK = [Task("click")]
VOID = {"meta", "br", "path", "circle"}


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
                multiply_adds=1000 * (place + 1),
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
    """Tables, charts and text of a page; every element must be closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.found, self.tables = [], [], {}
        self.text, self.scripts = "", []
        self.lines, self.line = [], None
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join(self.text.split())
        self.specs = json.loads(self.scripts[1])

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.found.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if attributes.get("role") == "region":
            self.lines = self.tables[attributes["aria-label"]] = []
        if tag == "script":
            self.scripts.append("")
        if tag == "tr" and "tbody" in self.open:
            self.line = {"text": [], "values": []}
            self.line["class"] = attributes.get("class")
            self.lines.append(self.line)
        if self.line is not None and tag in ("th", "td"):
            self.line["text"].append("")
        if tag == "data" and self.line is not None:
            self.line["values"].append(float(attributes["value"]))

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())
        if tag == "tr" and self.line is not None:
            texts = self.line["text"]
            self.line["text"] = [" ".join(text.split()) for text in texts]
            self.line = None

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.text += data
            if self.line is not None and self.line["text"]:
                self.line["text"][-1] += data

    def charts(self, words):
        """Descriptions, models and specifications of some charts."""
        return [
            (a["aria-label"], a["data-model"], self.specs[int(a["data-chart"])])
            for _, a in self.found
            if "data-chart" in a and words in a["aria-label"]
        ]


def read(found):
    """Parses the page, which has no outside resource and is reproducible."""
    rows = comparison_rows(found)
    text = format_page(found, rows)
    assert format_page(found, rows) == text
    page = Page(text)
    ids = [a["id"] for _, a in page.found if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.found:
        assert tag not in ("link", "img", "iframe", "object")
        assert not attributes.keys() & {"src", "srcset", "data", "onclick"}
        if "href" in attributes:
            assert attributes["href"][1:] in ids
    own = text.replace(page.scripts[0], "")
    for foreign in ("http:", "https:", "@import", "file:", "NaN", "nan,"):
        assert foreign not in own
    return page, rows, text


def table_of(page, words):
    (name,) = [name for name in page.tables if name.startswith(words)]
    return page.tables[name]


def values_of(spec, model):
    """The numbers that a chart has of a model."""
    return [v for v in spec["data"]["values"] if v["model"] == model]
