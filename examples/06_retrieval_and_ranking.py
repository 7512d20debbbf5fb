"""How do a retrieval model and INFNet work together?

Scoring a whole catalog for every request is too expensive. A two-tower model
retrieves a few dozen candidates by the dot product with all item vectors;
INFNet ranks them with all features of the user, the items and the context.
Here the first stage is a model of TensorFlow Recommenders, and both stages are
SavedModels that take raw values.

    python -m pip install ".[tensorflow,retrieval]"
    python examples/06_retrieval_and_ranking.py [--data PATH] [--fast]

PATH is the directory of KuaiRand-Pure that contains `data/` (from
zenodo.org/records/10439422); without it, the simulated feed is used.
"""

import argparse
import importlib.util
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
from two_stage import feeds
from two_stage.truth import TrueClicks

from keras_infnet import evaluation, experiments, models, serving, training
from keras_infnet.data import Batches, Encoder, Table

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="directory of KuaiRand-Pure")
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()
missing = [
    name
    for name in ("tensorflow", "tensorflow_recommenders", "tf_keras")
    if importlib.util.find_spec(name) is None
]
if missing:
    parser.error(
        f"the first stage needs {' and '.join(missing)}. Install with: "
        'python -m pip install ".[tensorflow,retrieval]"'
    )

"""
Every row is an item shown to a user, with histories and statistics of strictly
earlier events. `two_stage/feeds.py` gives both data sets the same columns.
"""

if options.data is None:
    rows = 8_000 if options.fast else 80_000
    feed = feeds.synthetic(num_rows=rows, num_items=1_000)
    depths, epochs, embedding_rate = (10, 50, 100), 4, 0.1
else:
    feed = feeds.kuairand(options.data)
    depths, epochs, embedding_rate = (10, 50, 200), 1, 0.05
train, validation, test = feed.train, feed.validation, feed.test
if options.fast:
    epochs = 1
    train = train.slice(max(0, len(train) - 6_000), len(train))
    validation, test = validation.slice(0, 1_000), test.slice(0, 2_000)
num_candidates = depths[-1]
print(
    f"{len(train)} train, {len(validation)} validation, {len(test)} test "
    f"rows, {len(feed.items)} items"
)

"""
The first stage is trained on the clicks of the training rows and stopped early
on those of the validation rows. It needs Keras 2 and runs in a separate
process, which reads arrays and writes a SavedModel.
"""

folder = pathlib.Path("runs/example_06")
folder.mkdir(parents=True, exist_ok=True)
np.savez(folder / "train.npz", **feed.positives(train))
np.savez(folder / "validation.npz", **feed.positives(validation))
np.savez(folder / "items.npz", **feed.catalogue())
program = pathlib.Path(__file__).parent / "two_stage/train_retrieval.py"
retrieval_path = "saved_models/example_06_retrieval/1"
subprocess.run(
    [sys.executable, program, folder, "--output", retrieval_path], check=True
)

import tensorflow as tf

retrieval = tf.saved_model.load(retrieval_path).signatures["serving_default"]


def retrieve(rows: Table, k: int) -> dict[str, np.ndarray]:
    """Returns the ids of the best `k` items per row, and their scores."""
    parts = []
    for start in range(0, len(rows), 1_024):
        part = feed.queries(rows.slice(start, min(start + 1_024, len(rows))))
        tensors = {name: tf.constant(ids) for name, ids in part.items()}
        parts.append(retrieval(k=tf.constant(k), **tensors))
    return {
        name: np.concatenate([part[name].numpy() for part in parts])
        for name in ("item_id", "score")
    }


"""
Recall at k: how often the clicked item of a test row is among the first k items
retrieved. The baseline recommends the items with the most training clicks to
everyone. Recall is biased towards the logged feed: a model that predicts what
the feed would show has a high recall, and better items that were never shown do
not count. On the simulated feed the two-tower model had .167, .357 and .474 at
10, 50 and 100, popularity .122, .299 and .415; a third of the items shown are
independent of the user, which limits recall. On KuaiRand-Pure they had .053,
.206 and .466, and .039, .138 and .318, at 10, 50 and 200.
"""

clicks = feed.clicked(test)
wanted = clicks[feed.item]
found = retrieve(clicks, num_candidates)["item_id"]
ids, counts = np.unique(feed.clicked(train)[feed.item], return_counts=True)
popular = ids[np.argsort(-counts, kind="stable")][:num_candidates]
hits, popular_hits = found == wanted[:, None], popular == wanted[:, None]
print(f"\nfirst stage, {len(clicks)} test clicks")
recalls = pd.DataFrame(
    {
        "k": depths,
        "two towers": [hits[:, :k].any(axis=1).mean() for k in depths],
        "popularity": [popular_hits[:, :k].any(axis=1).mean() for k in depths],
        "chance": [k / len(feed.items) for k in depths],
    }
)
print(recalls.round(4).to_string(index=False))

"""
The second stage. The schema lists the fields that differ between candidates
(`Schema(candidates=...)`): the item and its statistics. Candidates are sorted
by `click`; `fusion` may be any expression of the tasks.
"""

keras.utils.set_random_seed(0)
encoder = Encoder(feed.schema).fit(train)
model = models.INFNet.from_preset("small", encoder.schema)
training.compile_ranker(
    model,
    learning_rate=2e-3,
    embedding_learning_rate=embedding_rate,
    warmup_steps=50,
    ema_momentum=0.98,
)
training.fit_ranker(
    model,
    Batches(train, encoder, 256, shuffle=True),
    Batches(validation, encoder, 4096),
    epochs=epochs,
    verbose=2,
)
print("\nsecond stage, test rows")
print(
    evaluation.format_report(experiments.evaluate_model(model, encoder, test))
)
version = serving.export(
    model,
    encoder,
    "saved_models/example_06_ranking",
    examples=test,
    fusion="click",
)
ranking = serving.Servable.load(version)

"""
Which of the items shown to a user were clicked? This comparison of both stages
is not biased towards the feed, since the first stage can score every item.
"""

users = np.unique(test["user_id"])[: 100 if options.fast else 2_000]
shown = test.filter(np.isin(test["user_id"], users))


def first_stage_scores(rows: Table) -> np.ndarray:
    """Returns the score of each row's item; the lowest score if unknown."""
    scores = []
    for start in range(0, len(rows), 256):
        part = rows.slice(start, min(start + 256, len(rows)))
        everything = retrieve(part, len(feed.items))
        own = everything["item_id"] == part[feed.item][:, None]
        score = np.where(own, everything["score"], -np.inf).max(axis=1)
        scores.append(np.maximum(score, everything["score"].min(axis=1)))
    return np.concatenate(scores)


print(f"\nclicks among the items shown, {len(shown)} test rows: GAUC")
for name, scores in (
    ("first stage", first_stage_scores(shown)),
    ("second stage", ranking.predict_raw(shown)["click"][:, 0]),
):
    value = evaluation.gauc(shown[feed.click], scores, shown["user_id"]).value
    print(f"{name:<18} {value:.4f}")

"""
End to end: how high does each stage rank the clicked item? Candidates share the
features of the request; their own features come from the items at that time.
"""

sample = np.random.default_rng(0).permutation(len(clicks))
sample = np.sort(sample[: 100 if options.fast else 1_000])
requests, found, wanted = clicks.take(sample), found[sample], wanted[sample]
requests = requests.without(feed.schema.candidates)
moments = np.repeat(requests[feed.time], num_candidates)
offers = feed.candidates(found.ravel(), moments)


def final_order(row: int, k: int) -> np.ndarray:
    """Returns the ids of the best `k` candidates of a request."""
    start = row * num_candidates
    offer = offers.slice(start, start + num_candidates)
    index = ranking.rank(requests.slice(row, row + 1), offer, k)["index"]
    return found[row, index]


final = np.stack([final_order(row, 10) for row in range(len(requests))])
lists = {
    "popularity": np.tile(popular[:10], (len(requests), 1)),
    "first stage alone": found[:, :10],
    "both stages": final,
}
discounts = 1 / np.log2(np.arange(10) + 2)
print(f"\nfirst 10 items for {len(requests)} test clicks")
for name, order in lists.items():
    right = order == wanted[:, None]
    print(
        f"{name:<18} hit rate {right.any(axis=1).mean():.4f}  "
        f"NDCG {(right @ discounts).mean():.4f}"
    )

"""
The second stage *lowers* the hit rate, as expected: it ranks by the
probability of a click given an impression, while hits are items that the feed
chose to show. The simulated feed shows more items of the last category and
popular items, although users tire of a category and do not prefer popular
items. Only an experiment can tell which list is better. The simulator is one,
since it knows the click probability of every item: half of the first ten items
by popularity or by the first stage would be clicked, and 80 % of those by both
stages. Their hit rates were .16, .19 and .04 (300 requests).
"""

if options.data is None:
    true_clicks = TrueClicks(train)
    print("\ntrue click rate of the 10 items, if shown")
    for name, order in lists.items():
        rows = requests.take(np.repeat(np.arange(len(requests)), 10))
        places = np.searchsorted(feed.items[feed.item], order.ravel())
        offered = feed.items.take(places).select(["item_id", "category"])
        rows = rows.with_columns({n: offered[n] for n in offered.columns})
        print(f"{name:<18} {true_clicks(rows).mean():.4f}")

"""
Latency of one request: the median of twenty calls in this process. Features are
computed from the whole log here; in production a feature store serves them.
"""

request = requests.slice(0, 1)
offer = offers.slice(0, num_candidates)
ranked = ranking.rank(request, offer, 10)
places = ranked["index"]


def milliseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(20):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1_000 * float(np.median(times))


newest = {name: request[name][0][-5:].tolist() for name in feed.histories}
print(f"\nuser {request['user_id'][0]}, newest events: {newest}")
columns = [feed.item, *feed.shared]
listed = feed.items.take(np.searchsorted(feed.items[feed.item], found[0]))
print(
    listed.take(places)
    .select(columns)
    .to_pandas()
    .assign(
        place_of_first_stage=places + 1,
        click=ranked["click"].round(4),
        was_clicked=found[0][places] == wanted[0],
    )
    .to_string(index=False)
)
for name, call in (
    ("first stage", lambda: retrieve(request, num_candidates)),
    ("features", lambda: feed.candidates(found[0], moments[:num_candidates])),
    ("second stage", lambda: ranking.rank(request, offer, 10)),
):
    print(f"{name:<18} {milliseconds(call):.1f} ms, {num_candidates} items")

"""
What to look at: the recall of the first stage, which should exceed that of
popularity (it does not with `--fast`); the GAUC of both stages on the items
shown; for the value of the second stage, the true click rate and not the hit
rate; the latency of each stage.
"""
