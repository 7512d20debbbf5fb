"""A table whose rows can be told apart, and a model of its batches."""

import keras
import numpy as np

from keras_infnet.data.batching.batches import Batches
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task

ROWS = 103
LENGTH = 4


def make_schema(**kwargs):
    return Schema(
        fields=[
            Categorical("row"),  # tells the rows apart
            Categorical("tag", multivalued=True, max_values=2),
            Numeric("price", bins=4),
        ],
        behaviors=[
            Behavior("seen", ["row", "tag"], max_length=LENGTH, timed=True),
        ],
        tasks=[Task("click"), Task("buy", given="click")],
        group="user",
        request_time="time",
        **kwargs,
    )


def make_table(rows=ROWS):
    rng = np.random.default_rng(0)
    n = np.arange(rows)
    events = [
        rng.integers(0, rows, rng.integers(0, 7)).tolist() for _ in range(rows)
    ]
    return Table(
        {
            "row": n,
            "tag": [list(range(i % 4)) for i in range(rows)],
            "price": rng.random(rows),
            "seen_row": events,
            "seen_tag": [[list(range(e % 3)) for e in row] for row in events],
            "seen_time": [[10_000] * len(row) for row in events],
            "time": 10_000 + 1000 * n,
            "user": [f"u{i % 5}" for i in n],
            "click": np.where(n % 10 == 0, np.nan, n % 2),
            "buy": (n % 4 == 1).astype("float32"),
            "unused": n,
        }
    )


def rows_of(data):
    """Row numbers in the order visited; the column "row" tells them."""
    ids = np.concatenate([batch[0]["row"] for batch in data])
    return data.encoder.vocabularies["row"][ids - 1].tolist()


def same(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            assert left[name].dtype == right[name].dtype, name
            np.testing.assert_array_equal(left[name], right[name], name)


def tiny_model(schema):
    inputs = {
        name: keras.Input(spec.shape, dtype=spec.dtype, name=name)
        for name, spec in schema.inputs.items()
    }
    row = keras.layers.Embedding(ROWS + 1, 2)(inputs["row"])
    used = keras.layers.Flatten()(row)
    outputs = {
        task: keras.layers.Dense(1, activation="sigmoid", name=task)(used)
        for task in schema.task_names
    }
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "binary_crossentropy", jit_compile=False)
    return model


class Spy(Batches):
    """Notes the epoch of every batch."""

    def __init__(self, *args, **kwargs):
        self.seen = []
        super().__init__(*args, **kwargs)

    def _batch(self, index, epoch):
        self.seen.append(epoch)
        return super()._batch(index, epoch)
