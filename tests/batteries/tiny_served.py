"""A model whose predictions are sums that one can do by hand, saved."""

import math

import numpy as np

from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task

NAME = "news"
ROWS = [
    {
        "user": 7,
        "city": "Zürich",
        "item": 30,
        "price": 0.5,
        "tags": [4, 5],
        "seen_item": [1, 2, 3],
    },
    {
        "user": 2**60 + 1,
        "city": "京都",
        "item": 5,
        "price": math.nan,
        "tags": [],
        "seen_item": [9],
    },
    {
        "user": 3,
        "city": "",
        "item": 5,
        "price": -2.0,
        "tags": [6],
        "seen_item": [],
    },
]


def make_schema(candidates=("item", "price", "tags")):
    return Schema(
        [
            Categorical("user"),
            Categorical("city", dtype="string"),
            Categorical("item"),
            Numeric("price", bins=4),
            Categorical("tags", multivalued=True, max_values=3),
        ],
        [Task("click"), Task("like")],
        [Behavior("seen", ["item"], max_length=5)],
        candidates=candidates,
    )


def expected(row, version=1):
    """What the model answers to a row."""
    price = row.get("price", math.nan)
    price = 0.0 if math.isnan(price) else price
    return {
        "click": 1000 * version + row["item"] + price / 4,
        "like": row["user"] % 8
        + 10 * len(row.get("seen_item", ()))
        + 100 * len(row["city"].encode())
        + 10_000 * len(row.get("tags", ())),
    }


def column(rows, task, version=1):
    return np.array([expected(row, version)[task] for row in rows], np.float32)


def save(folder, version):
    """Writes version `version` of the model."""
    import tensorflow as tf

    def known(ids):
        return tf.reduce_sum(tf.cast(ids >= 0, tf.float32), axis=1)

    def tasks(inputs):
        price = inputs["price"]
        price = tf.where(tf.math.is_nan(price), 0.0, price)
        click = 1000.0 * version + tf.cast(inputs["item"], tf.float32)
        user = tf.cast(inputs["user"] % 8, tf.float32)
        length = tf.cast(tf.strings.length(inputs["city"]), tf.float32)
        like = user + 10 * known(inputs["seen_item"]) + 100 * length
        click = click + price / 4
        return click, like + 10_000 * known(inputs["tags"]) + 0 * click

    def raw(user, city, item, price, tags, seen_item):
        click, like = tasks(locals())
        return {"click": click[:, None], "like": like[:, None]}

    def rank(user, city, item, price, tags, seen_item):
        tf.debugging.assert_equal(tf.shape(user)[0], 1, "one request")
        click, like = tasks(locals())
        return {"click": click, "like": like, "score": -click}

    def rank_top_k(user, city, item, k, price, tags, seen_item):
        out = rank(user, city, item, price, tags, seen_item)
        count = tf.minimum(k, tf.shape(item)[0])
        _, index = tf.math.top_k(out["score"], count)
        best = {name: tf.gather(values, index) for name, values in out.items()}
        return {**best, "index": index}

    def examples(inputs):
        lengths = tf.cast(tf.strings.length(inputs), tf.float32)
        return {"scores": lengths[:, None]}

    def encoded(user, city, item, price, tags, seen_item, seen_mask):
        total = tf.reduce_sum(tags, axis=1) + user + city + price
        events = tf.reduce_sum(tf.cast(seen_mask, tf.float32), axis=1)
        click = tf.cast(item + total, tf.float32)
        like = events + 0 * tf.cast(tf.reduce_sum(seen_item), tf.float32)
        return {"click": click[:, None], "like": like[:, None]}

    ids, lists = ([None], tf.int64), ([None, None], tf.int64)
    kinds = {
        "user": ids,
        "city": ([None], tf.string),
        "item": ids,
        "price": ([None], tf.float32),
        "tags": lists,
        "seen_item": lists,
        "k": ([], tf.int32),
        "inputs": ([None], tf.string),
    }
    missing = {
        "price": tf.constant([math.nan]),
        "tags": tf.constant([[-1]], tf.int64),
        "seen_item": tf.constant([[-1]], tf.int64),
    }
    vectors = dict.fromkeys(("user", "city", "item", "price"), [None])
    squares = dict.fromkeys(("tags", "seen_item", "seen_mask"), [None, None])
    of_ids = {
        name: (shape, tf.bool if name == "seen_mask" else tf.int32)
        for name, shape in {**vectors, **squares}.items()
    }
    module = tf.Module()
    signatures = {
        "serving_default": _function(encoded, of_ids, {}),
        "serve_examples": _function(examples, kinds, {}),
        "serve_raw": _function(raw, kinds, missing),
        "rank": _function(rank, kinds, missing),
        "rank_top_k": _function(rank_top_k, kinds, missing),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _function(function, kinds, missing):
    import inspect

    import tensorflow as tf

    names = list(inspect.signature(function).parameters)

    def call(*tensors):
        return function(**dict(zip(names, tensors, strict=True)))

    call.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=missing.get(name, inspect.Parameter.empty),
            )
            for name in names
        ]
    )
    specs = [tf.TensorSpec(*kinds[name], name) for name in names]
    return tf.function(call, input_signature=specs, autograph=False)
