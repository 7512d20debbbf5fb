"""A schema of every kind of field, its encoder and a small model."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_infnet.data import Batches, Encoder
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.serving.exporting.run_export import loaded, replay_warmup
from keras_infnet.serving.request import ranking_request, raw_request

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="what is exported is the same on every backend",
)


def inputs_of(encoder: Encoder, table: Table) -> dict[str, np.ndarray]:
    """What a model gets of the rows of a table."""
    return Batches(table, encoder, len(table), labels=False)[0][0]


def raw_inputs(table: Table, schema: Schema) -> dict[str, np.ndarray]:
    """Inputs of `serve_raw`, as the client sends them."""
    return raw_request(table, schema)


def ranking_inputs(
    request: Table, candidates: Table, schema: Schema
) -> dict[str, np.ndarray]:
    """Inputs of `rank`, as the client sends them."""
    return ranking_request(request, candidates, schema)[0]


def check_warmup(version: Path) -> int:
    """Runs the warm-up requests of a version; returns their number."""
    with loaded(str(version)) as (session, signatures):
        return replay_warmup(session, signatures, str(version))


def predict(
    model: keras.Model, encoder: Encoder, table: Table
) -> dict[str, np.ndarray]:
    return model.predict(inputs_of(encoder, table), verbose=0)


def as_candidates(table: Table, schema: Schema, row: int = 0) -> Table:
    """The rows as candidates of the request in one of them."""
    names = [n for n in table.columns if n not in schema.candidates]
    rows = np.full(len(table), row)
    return table.with_columns({n: table[n].take(rows) for n in names})


def expect(found, expected, tolerance: float = 1e-5, spread: float = 0.0):
    """Compares arrays by name; `spread` is how much rows differ at least."""
    assert found.keys() >= expected.keys()
    for name, values in expected.items():
        assert np.ptp(values) >= spread, name
        np.testing.assert_allclose(
            found[name], values, rtol=tolerance, atol=tolerance, err_msg=name
        )


def make_schema() -> Schema:
    return Schema(
        fields=[
            Categorical("item", min_count=2),
            Categorical("city", dtype="string"),
            Categorical("user", hash_buckets=50),
            Categorical("query", dtype="string", hash_buckets=40),
            Categorical("tags", multivalued=True, max_values=3),
            Categorical(
                "words", dtype="string", multivalued=True, max_values=2
            ),
            Numeric("price", bins=8),
            Numeric("count", bins=6, binning="log"),
        ],
        tasks=[Task("click"), Task("like", given="click"), Task("stay")],
        behaviors=[
            Behavior(
                "seen", ["item", "tags", "price"], max_length=6, timed=True
            ),
            Behavior("searched", ["query"], max_length=4),
        ],
        request_time="at",
        time_unit="ms",
        scenario="city",
        candidates=["item", "tags", "words", "price"],
    )


def make_table(rows: int = 300, seed: int = 3) -> Table:
    rng = np.random.default_rng(seed)
    now = 1_700_000_000_000
    cities = np.array(["Paris", "Zürich", "京都", "New York, NY"], object)
    words = np.array(["red", "blue", "with space"], object)

    def lists(values, lengths):
        ends = np.cumsum(lengths)
        return ListColumn(values, ends - lengths, ends)

    tags = rng.integers(0, 5, rows)
    texts = rng.integers(0, 3, rows)
    seen = rng.integers(0, 10, rows)
    searched = rng.integers(0, 5, rows)
    events = int(seen.sum())
    event_tags = rng.integers(0, 4, events)
    return Table(
        {
            "item": rng.integers(0, 40, rows) * 1_000_003,
            "city": cities[rng.integers(0, 4, rows)],
            "user": rng.integers(0, 2**40, rows),
            "query": np.array(
                [f"q{i}" for i in rng.integers(0, 99, rows)], object
            ),
            "tags": lists(rng.integers(0, 9, int(tags.sum())), tags),
            "words": lists(words[rng.integers(0, 3, int(texts.sum()))], texts),
            "price": np.where(
                rng.random(rows) < 0.1, np.nan, rng.lognormal(size=rows)
            ),
            "count": rng.integers(0, 1000, rows),
            "seen_item": lists(rng.integers(0, 40, events) * 1_000_003, seen),
            "seen_tags": lists(
                lists(rng.integers(0, 9, int(event_tags.sum())), event_tags),
                seen,
            ),
            "seen_price": lists(rng.lognormal(size=events), seen),
            "seen_time": lists(
                now - (2.0 ** rng.uniform(5, 36, events)).astype(np.int64),
                seen,
            ),
            "searched_query": lists(
                np.array([f"q{i}" for i in range(int(searched.sum()))], object),
                searched,
            ),
            "at": now + rng.integers(0, 10**6, rows),
            "click": rng.integers(0, 2, rows),
            "like": rng.integers(0, 2, rows),
            "stay": rng.integers(0, 2, rows),
        }
    )


def make_model(schema: Schema) -> keras.Model:
    """Sums embeddings, events weighted by position: every id matters."""
    inputs = {
        name: keras.Input(spec.shape, dtype=spec.dtype, name=name)
        for name, spec in schema.inputs.items()
    }
    normal = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    tables = {
        name: keras.layers.Embedding(
            schema.table_size(name), 4, embeddings_initializer=normal
        )
        for name in schema.tables
    }
    gaps = keras.layers.Embedding(33, 4, embeddings_initializer=normal)

    def embed(part, ids):
        vectors = tables[part.table_name](ids)
        if isinstance(part, Categorical) and part.multivalued:
            known = keras.ops.cast(ids != 0, "float32")[..., None]
            vectors = keras.ops.sum(vectors * known, axis=-2)
        return vectors

    parts = [embed(part, inputs[part.name]) for part in schema.fields]
    for behavior in schema.behaviors:
        mask = keras.ops.cast(inputs[f"{behavior.name}_mask"], "float32")
        events = keras.ops.cumsum(mask, axis=1) * mask
        for part in schema.attributes(behavior):
            vectors = embed(part, inputs[f"{behavior.name}_{part.name}"])
            weighted = vectors * events[..., None]
            parts.append(keras.ops.sum(weighted, axis=1))
        if behavior.timed:
            vectors = gaps(inputs[f"{behavior.name}_gap"]) * mask[..., None]
            parts.append(keras.ops.sum(vectors, axis=1))
    hidden = keras.ops.concatenate(parts, axis=-1)
    outputs = {
        task.name: keras.layers.Dense(
            1,
            "sigmoid" if task.kind == "binary" else None,
            kernel_initializer=keras.initializers.RandomNormal(
                stddev=0.2, seed=len(task.name)
            ),
            name=task.name,
        )(hidden)
        for task in schema.tasks
    }
    return keras.Model(inputs, outputs)
