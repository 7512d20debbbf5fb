"""How do I train a model on my own event log?

A log says who saw which item when, and what they did. This example generates
one and builds everything for a ranking model from it: histories and statistics
without leakage, a split by time, a schema and a model.

    python examples/02_your_own_table.py [--fast]
"""

import argparse
import pathlib
import tempfile

import keras
import numpy as np
import pandas as pd

from keras_infnet import evaluation, experiments, models, training
from keras_infnet.data import (
    Batches,
    Encoder,
    PointInTimeStatistics,
    Sequences,
    SequenceSpec,
    draft_schema,
    open_source,
    split_by_time,
    write_table,
)

parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()
folder = pathlib.Path(tempfile.mkdtemp())

"""
The log. Yours comes from a data warehouse; this one is simulated: users prefer
some brands, and some items are better than others.
"""

rows = 8_000 if options.fast else 60_000
random = np.random.default_rng(0)
taste = random.normal(size=(500, 20))
quality = random.normal(size=400)
user = random.integers(0, 500, rows)
item = random.integers(0, 400, rows)
brand = item % 20
click = random.random(rows) < 1 / (
    1 + np.exp(-(taste[user, brand] + quality[item] - 0.5))
)
watch = np.where(click, random.gamma(2.0, 10.0, rows), np.nan)
log = pd.DataFrame(
    {
        "user_id": user,
        "item_id": item,
        "brand": np.array([f"brand {b}" for b in range(20)])[brand],
        "device": random.choice(["phone", "tablet", "tv"], rows),
        "time": np.sort(random.integers(0, 14 * 86_400_000, rows)),
        "click": click.astype(int),
        "watch_seconds": watch,
    }
)
log.to_csv(folder / "log.csv", index=False)

"""
Histories list what each user was shown and clicked, statistics count the clicks
of each item and user. Both use only events *strictly before* the row.
"""

table = open_source(folder / "log.csv").read()
sequences = Sequences(
    user="user_id",
    time="time",
    behaviors={
        "shown": SequenceSpec(["item_id", "brand"], max_length=20),
        "clicked": SequenceSpec(
            ["item_id", "brand"], where="click", max_length=20
        ),
    },
)
statistics = PointInTimeStatistics(
    entities=["user_id", "item_id"], feedbacks=["click"], time="time"
)
table = statistics.add(sequences.add(table))
day = 86_400_000
train, validation, test = split_by_time(table, "time", [10 * day, 12 * day])
for name, part in (("train", train), ("validation", validation)):
    write_table(part, folder / f"{name}.parquet")

"""
A draft of the schema, from column names and values; review the JSON before you
use it. `watch_seconds` is a second task, a regression. Its label is NaN without
a click, and rows with missing labels do not count for that task.
"""

schema = draft_schema(
    folder / "train.parquet",
    labels=["click", "watch_seconds"],
    group="user_id",
    request_time="time",
)
schema.save(folder / "schema.json")
print(schema, [field.name for field in schema.fields])

"""
Parquet files are read one row group at a time, so the table may be larger than
memory.
"""

encoder = Encoder(schema).fit(folder / "train.parquet")
keras.utils.set_random_seed(0)
model = models.INFNet.from_preset(
    "small", encoder.schema, loss_weighting="uncertainty"
)
training.compile_ranker(model, learning_rate=2e-3, ema_momentum=0.98)
training.fit_ranker(
    model,
    Batches(folder / "train.parquet", encoder, 256, shuffle=True),
    Batches(folder / "validation.parquet", encoder, 4096),
    epochs=1 if options.fast else 3,
    patience=1,
    verbose=2,
)
print(
    evaluation.format_report(experiments.evaluate_model(model, encoder, test))
)

"""
What to look at: the AUC of `click` and the R2 of `watch_seconds`, which is
about 0, because the simulated values are pure noise.
"""
