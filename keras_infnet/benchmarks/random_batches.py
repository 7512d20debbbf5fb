"""Schemas of the benchmarks and random batches for them."""

from typing import Any

import numpy as np

from keras_infnet.data import PointInTimeStatistics
from keras_infnet.data.batching.batch_arrays import input_shapes
from keras_infnet.data.datasets.kuairand_schema import FEEDBACKS, make_schema
from keras_infnet.schema import (
    GAP_BUCKETS,
    Behavior,
    Categorical,
    Field,
    Schema,
    Task,
)

__all__ = [
    "field_schema",
    "kuairand_schema",
    "random_batches",
    "serving_schema",
    "tiny_schema",
]

# Table sizes of KuaiRand-Pure, and the fraction of the 50 positions of each
# behavior that hold an event, for the training rows of all days before 5 May.
_TABLE_SIZES = {
    "user_id": 24_077,
    "video_id": 6_076,
    "author_id": 5_425,
    "music_id": 5_795,
    "tag": 47,
    "video_type": 4,
    "upload_type": 13,
    "music_type": 6,
    "tab": 16,
    "hour": 25,
    "onehot_feat2": 50,
    "onehot_feat3": 1_402,
    "onehot_feat4": 16,
    "onehot_feat5": 34,
    "onehot_feat7": 111,
    "onehot_feat8": 444,
}
_OTHER_CATEGORIES = 10
_BINS = 33
_SHARES = {"watched": 0.82, "long_view": 0.44, "like": 0.03}
_LIST_SHARE = 0.28  # fraction of positions in use in a list of tags


def field_schema(rows: int, fields: int) -> Schema:
    """Makes a schema of categorical fields, each with its own table.

    Example:

    >>> field_schema(100, 3).table_sizes
    {'field_0': 34, 'field_1': 33, 'field_2': 33}
    """
    names = [f"field_{index}" for index in range(fields)]
    return Schema(
        fields=[Categorical(name) for name in names],
        tasks=[Task("click")],
        table_sizes={
            name: rows // fields + (index < rows % fields)
            for index, name in enumerate(names)
        },
    )


def kuairand_schema() -> Schema:
    """Makes the schema of KuaiRand-Pure without reading its files."""
    statistics = PointInTimeStatistics(
        ("user_id", "video_id", "author_id"), FEEDBACKS, time="time_ms"
    )
    schema = make_schema(statistics.fields(), True, 50, 1)
    sizes = {}
    for name, readers in schema.tables.items():
        numeric = not isinstance(readers[0], Categorical)
        other = _BINS if numeric else _OTHER_CATEGORIES
        sizes[name] = _TABLE_SIZES.get(name, other)
    return schema.with_table_sizes(sizes)


def serving_schema(length: int, tiny: bool = False) -> Schema:
    """Makes a schema of requests: one user with a history, many candidates.

    Example:

    >>> [b.max_length for b in serving_schema(100).behaviors]
    [100]
    """
    if tiny:
        return tiny_schema().with_candidates(["video_id"])
    config = kuairand_schema().to_dict()
    (watched,) = (b for b in config["behaviors"] if b["name"] == "watched")
    config["behaviors"] = [{**watched, "max_length": length}]
    return Schema.from_dict(config)


def tiny_schema() -> Schema:
    """Makes a schema with every kind of field and a behavior."""
    return Schema(
        fields=[
            Categorical("user_id"),
            Categorical("video_id"),
            Categorical("tag", multivalued=True, max_values=4),
        ],
        tasks=[Task("click")],
        behaviors=[Behavior("watched", ("video_id",), 5, timed=True)],
        table_sizes={"user_id": 100, "video_id": 50, "tag": 10},
        request_time="time_ms",
        time_unit="ms",
    )


def random_batches(
    schema: Schema,
    batch_size: int,
    count: int,
    zipf: bool = False,
    seed: int = 0,
) -> list[Any]:
    """Draws batches of random ids.

    Example:

    >>> inputs, labels, weights = random_batches(field_schema(50, 2), 3, 1)[0]
    >>> inputs["field_0"].shape, labels["click"].dtype.name
    ((3,), 'float32')
    """
    rng = np.random.default_rng(seed)
    return [_batch(schema, batch_size, zipf, rng) for _ in range(count)]


def _batch(
    schema: Schema, batch_size: int, zipf: bool, rng: np.random.Generator
) -> Any:
    shapes = input_shapes(schema)
    inputs = {}
    for part in schema.fields:
        size = schema.table_size(part.table_name)
        shape = (batch_size, *shapes[part.name])
        inputs[part.name] = _ids(size, shape, zipf, rng, _is_list(part))
    for behavior in schema.behaviors:
        name = behavior.mask_input
        length = shapes[name][0]
        share = _SHARES.get(behavior.name, 0.5)
        lengths = rng.binomial(length, share, (batch_size, 1))
        mask = np.arange(length) < lengths
        inputs[name] = mask
        for part in schema.attributes(behavior):
            name = behavior.column(part)
            size = schema.table_size(part.table_name)
            shape = (batch_size, *shapes[name])
            ids = _ids(size, shape, zipf, rng, _is_list(part))
            # Padding has id 0.
            there = mask.reshape(mask.shape + (1,) * (ids.ndim - mask.ndim))
            inputs[name] = np.where(there, ids, 0)
        if behavior.timed:
            name = behavior.gap_input
            gaps = _ids(GAP_BUCKETS + 1, (batch_size, length), False, rng)
            inputs[name] = np.where(mask, gaps, 0)
    labels = {
        name: rng.integers(0, 2, batch_size).astype(np.float32)
        for name in schema.task_names
    }
    weights = {name: np.ones_like(values) for name, values in labels.items()}
    return {name: inputs[name] for name in shapes}, labels, weights


def _is_list(part: Field) -> bool:
    return isinstance(part, Categorical) and part.multivalued


def _ids(
    size: int,
    shape: tuple[int, ...],
    zipf: bool,
    rng: np.random.Generator,
    is_list: bool = False,
) -> Any:
    """Draws ids from 1 to `size - 1`; further values of a list may be 0."""
    if size < 2:
        return np.zeros(shape, np.int32)
    if zipf:
        # The probability of id k is log(1 + 1/k) / log(size), about 1/k.
        ids = np.floor(float(size) ** rng.random(shape))
        ids = np.minimum(ids, size - 1).astype(np.int32)
    else:
        ids = rng.integers(1, size, shape, np.int32)
    if is_list:
        absent = rng.random(shape) >= _LIST_SHARE
        absent[..., 0] = False
        ids = np.where(absent, 0, ids)
    return ids
