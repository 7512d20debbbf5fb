import math

import numpy as np
import pytest

from keras_infnet.data.datasets import synthetic
from keras_infnet.data.sources.table import ListColumn

LENGTHS = {"viewed": 20, "liked": 10, "bought": 5}
EVENTS = {
    "viewed": ("item_id", "author_id", "category"),
    "liked": ("item_id", "author_id", "category"),
    "bought": ("item_id", "category", "price"),
}


@pytest.fixture(scope="module")
def data():
    return synthetic.load(
        num_users=300, num_items=60, num_rows=9000, missing=0.0, seed=3
    )


@pytest.fixture(scope="module")
def rows(data):
    parts = (data.train, data.validation, data.test)
    return {
        name: [value for part in parts for value in as_list(part[name])]
        for name in data.train.columns
    }


def as_list(column):
    if isinstance(column, ListColumn):
        return column.to_lists()
    return column.tolist()


def pairwise_auc(labels, scores):
    """The share of pairs in the right order, by comparing all pairs."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    right = (positive[:, None] > negative).mean()
    return right + 0.5 * (positive[:, None] == negative).mean()


def test_parts_follow_each_other_in_time(data, rows):
    assert data.name == "synthetic"
    assert len(data.train) == 6300
    assert len(data.validation) == 900
    assert len(data.test) == 1800
    assert rows["time"] == sorted(rows["time"])


def test_table_holds_what_the_schema_reads(data):
    schema = data.schema
    columns = set(data.train.columns)
    assert set(schema.raw_inputs) <= columns
    assert {task.label_column for task in schema.tasks} <= columns
    assert {schema.group, schema.request_time} <= columns
    read = {*schema.raw_inputs, *schema.task_names, schema.group}
    assert columns - read == {"true_click", "true_like", "true_purchase"}


def test_values_are_raw(rows):
    assert {type(v) for v in rows["user_id"]} == {int}
    assert {type(v) for v in rows["category"]} == {str}
    assert any(math.isnan(v) for v in rows["user_age"])
    assert any(math.isnan(v) for v in rows["price"])
    assert {len(tags) for tags in rows["tags"]} == {1, 2, 3}
    assert all(len(tags) == len(set(tags)) for tags in rows["tags"])
    assert [(t // 3_600_000) % 24 for t in rows["time"]] == rows["hour"]


def test_histories_are_exactly_the_earlier_events(rows):
    # Row by row: the history of a user's next row is that of the last one,
    # and what happened there.
    happened = {
        "viewed": [1] * len(rows["time"]),
        "liked": rows["like"],
        "bought": rows["purchase"],
    }
    last = {}
    checked = 0
    for row, user in enumerate(rows["user_id"]):
        before = last.get(user)
        last[user] = row
        for name, attributes in EVENTS.items():
            times = rows[f"{name}_time"][row]
            assert all(a < b for a, b in zip(times, times[1:], strict=False))
            assert not times or times[-1] < rows["time"][row]
            for attribute in (*attributes, "time"):
                column = rows[f"{name}_{attribute}"]
                assert len(column[row]) == len(times) <= LENGTHS[name]
                if before is None:
                    continue
                expected = list(column[before])
                if happened[name][before]:
                    expected.append(rows[attribute][before])
                expected = expected[-LENGTHS[name] :]
                assert repr(column[row]) == repr(expected)
                checked += 1
    assert checked > 50_000


def test_an_item_keeps_its_attributes(rows):
    for attribute in ("author_id", "category", "price", "tags"):
        seen = {}
        for item, value in zip(rows["item_id"], rows[attribute], strict=True):
            assert repr(seen.setdefault(item, value)) == repr(value)


def test_labels_are_drawn_from_the_true_probabilities(rows):
    clicked = np.array(rows["click"]) == 1
    for task in ("click", "like", "purchase"):
        label = np.array(rows[task], float)
        truth = np.array(rows[f"true_{task}"])
        assert ((truth > 0) & (truth < 1)).all()
        if task == "purchase":
            assert not label[~clicked].any()
            label, truth = label[clicked], truth[clicked]
        deviation = math.sqrt((truth * (1 - truth)).sum())
        assert abs(label.sum() - truth.sum()) < 4 * deviation
        # Also within the upper half of the probabilities.
        upper = truth > np.median(truth)
        deviation = math.sqrt((truth * (1 - truth))[upper].sum())
        assert abs(label[upper].sum() - truth[upper].sum()) < 4 * deviation


def test_best_is_the_auc_of_the_truth(data):
    test = data.test
    for task in ("click", "like", "purchase"):
        label, truth = test[task], test[f"true_{task}"]
        if task == "purchase":
            clicked = test["click"] == 1
            label, truth = label[clicked], truth[clicked]
        assert data.best[task] == pytest.approx(pairwise_auc(label, truth))
        assert 0.75 < data.best[task] < 0.92


def test_tasks_depend_on_events_of_the_history(rows):
    truth = {t: np.array(rows[f"true_{t}"]) for t in ("click", "like")}
    again = np.array(
        [
            seen[-5:].count(category)
            for seen, category in zip(
                rows["viewed_category"], rows["category"], strict=True
            )
        ]
    )
    tired = truth["click"][again >= 3].mean()
    assert tired < truth["click"][again == 0].mean() - 0.1
    known = np.array(
        [
            author in liked
            for liked, author in zip(
                rows["liked_author_id"], rows["author_id"], strict=True
            )
        ]
    )
    assert truth["like"][known].mean() > truth["like"][~known].mean() + 0.2


def test_lost_likes():
    data = synthetic.load(num_users=100, num_rows=5000, missing=0.3)
    lost = np.isnan(data.train["like"])
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    assert set(data.train["like"][~lost]) == {0.0, 1.0}
    assert set(data.train["click"]) == {0, 1}


def test_seed():
    sizes = {"num_users": 20, "num_items": 30, "num_rows": 400}
    one, same, other = (
        synthetic.load(**sizes, seed=seed) for seed in (1, 1, 2)
    )
    assert repr(one.best) == repr(same.best)
    assert one.schema == other.schema
    for name in one.train.columns:
        assert repr(as_list(one.test[name])) == repr(as_list(same.test[name]))
    assert as_list(one.train["item_id"]) != as_list(other.train["item_id"])


@pytest.mark.parametrize(
    "sizes",
    [
        {"num_users": 1, "num_items": 1, "num_rows": 10},
        {"num_users": 500, "num_items": 1, "num_rows": 10},
        {"num_users": 7, "num_items": 3, "num_rows": 101},
    ],
)
def test_small_sizes(sizes):
    data = synthetic.load(**sizes)
    parts = (data.train, data.validation, data.test)
    assert sum(len(part) for part in parts) == sizes["num_rows"]
    for auc in data.best.values():
        assert math.isnan(auc) or 0.0 <= auc <= 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_users", 0),
        ("num_items", 2.5),
        ("num_rows", 9),
        ("num_rows", "many"),
        ("missing", 1.0),
        ("missing", math.nan),
    ],
)
def test_bad_arguments(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        synthetic.load(**{name: value})
