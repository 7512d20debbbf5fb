"""Trains a two-tower model with TensorFlow Recommenders and exports it.

TensorFlow Recommenders needs Keras 2, keras_infnet needs Keras 3, and a
process has one of them: this program is a process of its own, and meets the
other one through files alone.

    python train_retrieval.py FOLDER --output saved_models/retrieval/1

FOLDER holds `train.npz` and `validation.npz`, a row a positive: `user_id`,
`item_id`, and the item ids of one or more histories, the oldest event first,
-1 behind the newest. `items.npz` has a row an item: `item_id` and further
integers that items share, such as the id of an author.

The signature of the SavedModel takes `user_id`, the histories and `k`, and
returns `item_id` and `score` of the best `k` items, the best first.
"""

import argparse
import os
import pathlib

# Read when TensorFlow is first imported.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

Arrays = dict[str, np.ndarray]


def lookup(ids: np.ndarray) -> tf.keras.layers.Layer:
    """Numbers ids from 1, in their order; 0 is for ids not among them."""
    vocabulary = np.unique(ids)
    return tf.keras.layers.IntegerLookup(vocabulary=vocabulary, mask_token=None)


class ItemTower(tf.keras.Model):
    """The sum of the embeddings of an item and of what it shares."""

    def __init__(self, items: Arrays, dim: int) -> None:
        super().__init__()
        self.lookup = lookup(items["item_id"])
        order = np.argsort(items["item_id"])
        self.codes, self.tables = [], []
        for values in items.values():
            known, codes = np.unique(values[order], return_inverse=True)
            self.codes.append(tf.constant(np.append(0, codes + 1)))
            self.tables.append(tf.keras.layers.Embedding(len(known) + 1, dim))

    def call(self, ids):
        places = self.lookup(ids)
        embedded = [
            table(tf.gather(codes, places))
            for codes, table in zip(self.codes, self.tables, strict=True)
        ]
        return tf.add_n(embedded)


class History(tf.keras.layers.Layer):
    """The mean of past items, where newer ones weigh more, projected."""

    def __init__(self, items: ItemTower, length: int, dim: int) -> None:
        super().__init__()
        self.items, self.length = items, length
        # To begin with, each older event weighs 40 % less.
        halving = tf.keras.initializers.Constant(-0.5 * np.arange(length))
        self.recency = self.add_weight(
            name="recency", shape=(length,), initializer=halving
        )
        self.dropout = tf.keras.layers.Dropout(0.3)
        self.project = tf.keras.layers.Dense(dim)

    def call(self, ids, training=False):
        lengths = tf.reduce_sum(tf.cast(ids >= 0, tf.int32), axis=1)
        ids = tf.reverse_sequence(ids, lengths, seq_axis=1)[:, : self.length]
        known = tf.cast(self.items.lookup(ids) > 0, tf.float32)
        weights = known * tf.exp(self.recency[: tf.shape(ids)[1]])
        total = tf.reduce_sum(weights, axis=1, keepdims=True)
        weights = tf.math.divide_no_nan(weights, total)
        mean = tf.einsum("be,bed->bd", weights, self.items(ids))
        return self.project(self.dropout(mean, training=training))


class QueryTower(tf.keras.Model):
    """The sum of an embedding of the user and of the histories."""

    def __init__(
        self, items: ItemTower, users: np.ndarray, lengths: dict, dim: int
    ) -> None:
        super().__init__()
        self.lookup = lookup(users)
        self.users = tf.keras.layers.Embedding(len(np.unique(users)) + 1, dim)
        # Drops all of a user, who has few rows and is soon learned by heart.
        self.dropout = tf.keras.layers.Dropout(0.8, noise_shape=(None, 1))
        self.histories = {
            name: History(items, length, dim)
            for name, length in lengths.items()
        }

    def call(self, query, training=False):
        user = self.users(self.lookup(query["user_id"]))
        parts = [
            layer(query[name], training=training)
            for name, layer in self.histories.items()
        ]
        return tf.add_n([self.dropout(user, training=training), *parts])


class TwoTower(tfrs.Model):
    """Tells the item of a row from those of the other rows of its batch.

    Popular items are in every batch. The logarithm of how often an item is
    drawn is taken off its score in training, so that the score learns how
    likely an item is, not how much likelier than its popularity.
    """

    def __init__(self, query: QueryTower, items: ItemTower) -> None:
        super().__init__()
        self.query, self.items = query, items
        self.task = tfrs.tasks.Retrieval(remove_accidental_hits=True)

    def compute_loss(self, features, training=False):
        return self.task(
            self.query(features, training=training),
            self.items(features["item_id"]),
            candidate_ids=features["item_id"],
            candidate_sampling_probability=features["drawn"],
            compute_metrics=False,
        )


def batches(
    rows: Arrays, positives: np.ndarray, options: argparse.Namespace
) -> tf.data.Dataset:
    """Rows with the share of the training positives that their item has."""
    known, counts = np.unique(positives, return_counts=True)
    rows = {
        name: column[np.isin(rows["item_id"], known)]
        for name, column in rows.items()
    }
    places = np.searchsorted(known, rows["item_id"])
    drawn = (counts / counts.sum())[places].astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices({**rows, "drawn": drawn})
    # Full batches alone: the loss is a sum over as many items as rows.
    return dataset.shuffle(len(drawn), seed=options.seed).batch(
        min(options.batch_size, len(drawn)), drop_remainder=True
    )


def train(
    rows: Arrays, validation: Arrays, items: Arrays, options: argparse.Namespace
) -> TwoTower:
    tf.keras.utils.set_random_seed(options.seed)
    lengths = {
        name: column.shape[1]
        for name, column in rows.items()
        if column.ndim == 2
    }
    tower = ItemTower(items, options.dim)
    query = QueryTower(tower, rows["user_id"], lengths, options.dim)
    model = TwoTower(query, tower)
    model.compile(tf.keras.optimizers.Adagrad(options.learning_rate))
    model.fit(
        batches(rows, rows["item_id"], options),
        validation_data=batches(validation, rows["item_id"], options),
        epochs=options.epochs,
        callbacks=[
            tf.keras.callbacks.EarlyStopping(
                "val_loss", patience=2, restore_best_weights=True
            )
        ],
        verbose=2,
    )
    return model


def export(model: TwoTower, item_ids: np.ndarray, path: pathlib.Path) -> None:
    """Writes the query tower with all items as a SavedModel."""
    index = tfrs.layers.factorized_top_k.BruteForce(model.query)
    index.index(model.items(item_ids), tf.constant(item_ids))
    inputs = {"user_id": tf.TensorSpec([None], tf.int64, "user_id")}
    for name in model.query.histories:
        inputs[name] = tf.TensorSpec([None, None], tf.int64, name)

    @tf.function(input_signature=[inputs, tf.TensorSpec([], tf.int32, "k")])
    def retrieve(query, k):
        scores, ids = index(query, k=tf.minimum(k, len(item_ids)))
        return {"item_id": ids, "score": scores}

    module = tf.Module()
    module.index, module.retrieve = index, retrieve
    tf.saved_model.save(module, str(path), {"serving_default": retrieve})


def read(path: pathlib.Path) -> Arrays:
    with np.load(path) as file:
        return dict(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Keras 2 warns that layers without a config cannot be cloned; none is.
    tf.get_logger().setLevel("ERROR")
    items = read(options.folder / "items.npz")
    model = train(
        read(options.folder / "train.npz"),
        read(options.folder / "validation.npz"),
        items,
        options,
    )
    export(model, items["item_id"], options.output)
