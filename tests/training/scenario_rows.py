"""Rows of three scenarios, and a small AutoIFS for them."""

import keras
import numpy as np
import pandas as pd
from keras import ops

from keras_infnet.data import Batches, Encoder, Table
from keras_infnet.models import AutoIFS
from keras_infnet.schema import Categorical, Schema, Task

SCHEMA = Schema(
    [Categorical("user"), Categorical("tab", dtype="string")],
    [Task("click"), Task("like", given="click")],
    scenario="tab",
)


SMALL = {"hidden_dims": (6, 5), "scenario_dim": 4, "embedding_dim": 3}


def make_batches(rows=120, seed=0, shuffle=True, batch_size=32):
    rng = np.random.default_rng(0)
    user = rng.integers(0, 9, 400)
    table = Table.from_pandas(
        pd.DataFrame(
            {
                "user": user,
                "tab": rng.choice(["home", "search", "nearby"], 400),
                "click": (rng.random(400) < 0.2 + 0.6 * (user % 2)) * 1.0,
                "like": rng.integers(0, 2, 400),
            }
        )
    )
    encoder = Encoder(SCHEMA).fit(table)
    table = table.take(np.random.default_rng(seed).permutation(400)[:rows])
    return Batches(table, encoder, batch_size, shuffle=shuffle, seed=2)


def make_model(batches, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    return AutoIFS(batches.schema, **{**SMALL, **settings})


def values(weights):
    return {w.path: ops.convert_to_numpy(w).copy() for w in weights}


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
