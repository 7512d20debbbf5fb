"""Rows of users and items, and a small model for them."""

import keras
import numpy as np
from keras import ops

from keras_infnet.data import Batches, Encoder, Table
from keras_infnet.models import SharedBottom
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.training import compile_ranker

SCHEMA = Schema(
    fields=[Categorical("user"), Categorical("item")],
    tasks=[Task("click"), Task("like", given="click")],
)


def make_table(rows=96, seed=0):
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 6, rows)
    click = (rng.random(rows) < 0.2 + 0.6 * (item % 2)).astype(float)
    return Table(
        {
            "user": rng.integers(0, 9, rows),
            "item": item,
            "click": click,
            "like": rng.integers(0, 2, rows).astype(float),
        }
    )


ENCODER = Encoder(SCHEMA).fit(make_table())


def make_batches(size=32, **options):
    return Batches(make_table(), ENCODER, size, **options)


def make_validation():
    return Batches(make_table(64, seed=1), ENCODER, 64)


def make_model(seed=0, dtype=None, learning_rate=0.01, **options):
    keras.utils.set_random_seed(seed)
    model = SharedBottom(
        ENCODER.schema,
        embedding_dim=3,
        hidden_dims=(4,),
        tower_dims=(),
        dropout=0.2,
        dtype=dtype,
    )
    return compile_ranker(model, learning_rate=learning_rate, **options)


def weights(model):
    return [ops.convert_to_numpy(v.value).copy() for v in model.weights]


def assert_same_weights(left, right):
    for a, b in zip(weights(left), weights(right), strict=True):
        np.testing.assert_array_equal(a, b)


class Interrupt(keras.callbacks.Callback):
    """Ends the process, as it were, in the middle of an epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt
