"""Small schemas and random batches."""

import numpy as np

from keras_infnet.schema import (
    GAP_BUCKETS,
    Behavior,
    Categorical,
    Numeric,
    Schema,
    Task,
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


def random_batch(schema, rows=5, lengths=None, seed=0):
    """Random inputs of a model; padding may lie anywhere.

    `lengths` maps behaviours to padded lengths; `max_length` elsewhere. The
    last row has no event at all.
    """
    rng = np.random.default_rng(seed)
    sizes = {}
    for part in schema.fields:
        sizes[part.name] = schema.table_size(part.table_name)
    for behavior in schema.behaviors:
        for part in schema.attributes(behavior):
            name = f"{behavior.name}_{part.name}"
            sizes[name] = schema.table_size(part.table_name)
    batch, length = {}, None
    for name, spec in schema.inputs.items():
        shape = [rows, *spec.shape]
        for behavior in schema.behaviors:
            if name.startswith(f"{behavior.name}_"):
                length = (lengths or {}).get(behavior.name)
                shape[1] = length or behavior.max_length
        if name.endswith("_mask") and name not in sizes:
            batch[name] = rng.random(shape) < 0.7
            batch[name][-1] = False
        elif name.endswith("_gap") and name not in sizes:
            batch[name] = rng.integers(0, GAP_BUCKETS + 1, shape, "int32")
        else:
            batch[name] = rng.integers(0, sizes[name], shape, "int32")
    return batch


def random_labels(schema, rows=5, seed=0):
    """Labels as the pipeline gives them."""
    rng = np.random.default_rng(seed)
    labels = {}
    for task in schema.tasks:
        label = rng.random(rows)
        if task.kind == "binary":
            label = label < 0.5
        labels[task.name] = label.astype("float32")
    return labels


def randomize(layer, seed=0, scale=0.4):
    """Gives every weight random values, so that no bias is zero."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        noise = scale * rng.standard_normal(weight.shape)
        if weight.path.endswith("gamma"):
            noise += 1.0
        if weight.path.endswith("moving_variance"):
            noise = 0.5 + np.abs(noise)
        weight.assign(noise.astype("float32"))
    return layer
