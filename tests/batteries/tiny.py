"""Small schemas, and what tests of models share."""

import keras
import pytest

from keras_infnet.losses import task_losses
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.testing.check_ranker import (
    assert_same_predictions,
    predictions,
)
from keras_infnet.testing.random_data import (
    random_batch,
    random_labels,
    randomize,
)

__all__ = [
    "NOT_ON_JAX",
    "SMALL",
    "assert_same_predictions",
    "compile_model",
    "plain_schema",
    "predictions",
    "random_batch",
    "random_labels",
    "randomize",
    "rich_schema",
]

#: For further settings of a model: compiling is most of the work on JAX.
NOT_ON_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="the first settings show it; all predict as on TensorFlow",
)

#: Prime widths and lengths tell axes apart.
SMALL = {
    "token_dim": 6,
    "num_categorical_tokens": 3,
    "num_shared_tokens": 2,
    "expansion": 2,
    "tower_dims": (5,),
}


def rich_schema():
    """Every kind of part: shared tables, lists, bins, two kinds of tasks."""
    return Schema(
        fields=[
            Categorical("user", hash_buckets=11),
            Categorical("item"),
            Numeric("age", bins=5),
            Categorical("tags", multivalued=True, max_values=3),
            Categorical("author", hash_buckets=7),
        ],
        behaviors=[
            Behavior(
                "clicks",
                [
                    "item",
                    Categorical(
                        "tags", multivalued=True, max_values=2, table="tags"
                    ),
                    "author",
                ],
                max_length=4,
                timed=True,
            ),
            Behavior("likes", ["item"], max_length=3),
        ],
        tasks=[Task("click"), Task("watch", kind="regression"), Task("like")],
        request_time="time",
        scenario="author",
        candidates=["item", "tags"],
        table_sizes={"item": 13, "tags": 6},
    )


def plain_schema(num_tasks=2, behaviors=("clicks",), timed=False):
    """Two fields, behaviours of items."""
    return Schema(
        fields=[
            Categorical("user", hash_buckets=11),
            Categorical("item", hash_buckets=13),
        ],
        behaviors=[
            Behavior(name, ["item"], max_length=4, timed=timed)
            for name in behaviors
        ],
        tasks=[Task(f"task_{i}") for i in range(num_tasks)],
        request_time="time" if timed and behaviors else None,
    )


def compile_model(model, **kwargs):
    options = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": task_losses(model.schema),
        **kwargs,
    }
    model.compile(**options)
    return model
