"""Baselines on tables whose answer is known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.evaluation import (
    GradientBoostingBaseline,
    LogisticRegressionBaseline,
    auc,
    r2,
)
from keras_infnet.evaluation.baseline_features import (
    dense_features,
    id_features,
)
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task

NAN = float("nan")


@pytest.fixture
def schema():
    return Schema(
        fields=[
            Categorical("item_id"),
            Categorical("tags", multivalued=True, max_values=3),
            Numeric("price", bins=4),
        ],
        behaviors=[
            Behavior("click", ["item_id", "tags"], max_length=5, timed=True)
        ],
        tasks=[
            Task("buy"),
            Task("never"),
            Task("unseen"),
            Task("seconds", kind="regression"),
        ],
        request_time="time",
    )


@pytest.fixture
def table():
    generator = np.random.default_rng(0)
    count = 600
    items = generator.integers(0, 300, count)
    price = generator.random(count)
    lengths = generator.integers(0, 7, count)
    clicks = [generator.integers(0, 300, n) for n in lengths]
    tags = [list(generator.integers(0, 5, 2)) for _ in range(count)]
    labels = (items % 2 == 0).astype(float)
    labels[:30] = NAN
    return Table(
        {
            "item_id": items,
            "tags": ListColumn.from_lists(tags),
            "price": np.where(generator.random(count) < 0.1, NAN, price),
            "time": np.full(count, 1_000_000),
            "click_item_id": ListColumn.from_lists(clicks, dtype="int64"),
            "click_tags": ListColumn.from_lists(
                [[[1, 2]] * n for n in lengths]
            ),
            "click_time": ListColumn.from_lists(
                [[999_000] * n for n in lengths], dtype="int64"
            ),
            "buy": labels,
            "never": np.zeros(count),
            "unseen": np.full(count, NAN),
            "seconds": 10 + 5 * np.array([t[0] == 3 for t in tags]) + price,
        }
    )


def bag(encoded, column, size, max_events):
    """The indicator columns of a list column, by a loop."""
    matrix = np.zeros((len(encoded), size))
    for row, events in enumerate(encoded[column].to_lists()):
        ids = []
        for event in events[-max_events:] if max_events else events:
            ids += event if isinstance(event, list) else [event]
        ids = [i for i in ids if i > 0]
        for i in ids:
            matrix[row, i] += 1 / len(ids)
    return matrix


def test_id_features(schema, table):
    encoder = Encoder(schema).fit(table)
    schema, encoded = encoder.schema, encoder.encode(table)
    items = schema.table_size("item_id")
    tags = schema.table_size("tags")
    expected = np.concatenate(
        [
            np.eye(items)[encoded["item_id"]],
            bag(encoded, "tags", tags, None),
            np.eye(5)[encoded["price"]],
            bag(encoded, "click_item_id", items, 3),
            bag(encoded, "click_tags", tags, 3),
        ],
        axis=1,
    )
    actual = id_features(schema, encoded, max_events=3)
    np.testing.assert_allclose(actual.toarray(), expected, rtol=1e-6)


def test_dense_features(schema, table):
    encoder = Encoder(schema).fit(table)
    encoded = encoder.encode(table)
    matrix, names, categorical = dense_features(
        encoder.schema, table, encoded, use_ids=False
    )
    # 300 items are too many; tags are few.
    assert encoder.schema.table_size("item_id") < 300
    assert encoder.schema.table_size("item_id") > 255
    assert names == ["tags_count", "tags", "price", "click_length", "click_gap"]
    assert categorical.tolist() == [False, True, False, False, False]
    np.testing.assert_allclose(
        matrix[:, 2], table["price"].astype("float32"), rtol=1e-6
    )
    lengths = np.minimum(table["click_time"].lengths, 5)
    assert matrix[:, 3].tolist() == lengths.tolist()
    # One second before the request is bucket 1, id 2; no event is NaN.
    expected = np.where(lengths > 0, 2.0, NAN)
    np.testing.assert_array_equal(matrix[:, 4], expected)
    _, names, categorical = dense_features(
        encoder.schema, table, encoded, use_ids=True
    )
    assert names[0] == "item_id" and not categorical[0]


def test_infinite_numbers_are_clipped():
    schema = Schema([Numeric("price", bins=2)], [Task("buy")])
    raw = Table({"price": [np.inf, -np.inf, NAN]})
    matrix, _, _ = dense_features(schema, raw, raw, use_ids=False)
    assert np.isfinite(matrix[:2]).all() and np.isnan(matrix[2, 0])


def test_logistic_regression_learns_ids(schema, table):
    encoder = Encoder(schema).fit(table)
    model = LogisticRegressionBaseline(schema, inverse_penalty=1.0)
    predictions = model.fit(encoder, table).predict(table)
    assert set(predictions) == {"buy", "never", "unseen", "seconds"}
    for values in predictions.values():
        assert values.dtype == np.float32 and values.shape == (600,)
    assert auc(table["buy"], predictions["buy"]) > 0.95
    assert r2(table["seconds"], predictions["seconds"]) > 0.5
    # Constants where there is nothing to learn.
    assert set(predictions["never"]) == {0.0}
    assert set(predictions["unseen"]) == {0.5}


def test_missing_labels_equal_dropped_rows(schema, table):
    encoder = Encoder(schema).fit(table)
    model = LogisticRegressionBaseline(schema).fit(encoder, table)
    encoded = encoder.encode(table)
    features = id_features(encoder.schema, encoded, 20)[30:]
    reference = LogisticRegression(C=model.inverse_penalty, max_iter=200)
    reference.fit(features, table["buy"][30:])
    np.testing.assert_allclose(
        model.predict(table)["buy"][30:],
        reference.predict_proba(features)[:, 1],
        rtol=1e-4,
    )


def test_gradient_boosting_learns_fields(schema, table):
    encoder = Encoder(schema).fit(table)
    model = GradientBoostingBaseline(schema, max_iterations=60)
    predictions = model.fit(encoder, table).predict(table)
    assert r2(table["seconds"], predictions["seconds"]) > 0.8
    assert set(predictions["never"]) == {0.0}
    again = GradientBoostingBaseline(schema, max_iterations=60)
    again = again.fit(encoder, table).predict(table)
    for name, values in predictions.items():
        np.testing.assert_array_equal(values, again[name])


def test_labels_are_not_needed_to_predict(schema, table):
    encoder = Encoder(schema).fit(table)
    model = LogisticRegressionBaseline(schema, max_iterations=5)
    model.fit(encoder, table)
    rows = table.without(schema.task_names).slice(0, 3)
    np.testing.assert_allclose(
        model.predict(rows)["buy"], model.predict(table)["buy"][:3], rtol=1e-6
    )


@pytest.mark.parametrize(
    "cls", [GradientBoostingBaseline, LogisticRegressionBaseline]
)
def test_predict_before_fit(cls, schema, table):
    with pytest.raises(ValueError, match=f"{cls.__name__} is not fitted"):
        cls(schema).predict(table)
