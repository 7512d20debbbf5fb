import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from keras_infnet.data.history.sequences import Sequences, SequenceSpec
from keras_infnet.data.sources.table import ListColumn, Table

SPECS = {
    "seen": SequenceSpec(["item", "tags"], max_length=3),
    "like": SequenceSpec(["item"], where="liked", max_length=2),
}


def table(users, times, first_item=0):
    items = np.arange(first_item, first_item + len(users))
    return Table(
        {
            "user": np.array(users, np.int64),
            "time": np.array(times, np.int64),
            "item": items,
            "tags": ListColumn.from_lists(
                [list(range(i % 3)) for i in items], np.int64
            ),
            "liked": items % 2,
        }
    )


def naive(rows, events, history, spec):
    """What every row should see, one row at a time."""
    logs = [] if history is None else [(history, True)]
    logs.append((events, False))
    past = []
    for log, is_history in logs:
        times = log["time"] if "time" in log else [-1] * len(log)
        for i in range(len(log)):
            if spec.where is None or log[spec.where][i] == 1:
                past.append(
                    (
                        int(times[i]),
                        is_history,
                        int(log["user"][i]),
                        int(log["item"][i]),
                        log["tags"][i].tolist(),
                    )
                )
    sequences = []
    for user, time in zip(rows["user"], rows["time"], strict=True):
        mine = [e for e in past if e[2] == user and e[0] < time]
        mine.sort(key=lambda event: event[0])  # stable
        sequences.append(mine[-spec.max_length :] if user >= 0 else [])
    return sequences


def check(rows, events=None, history=None):
    result = Sequences("user", "time", SPECS).add(rows, events, history)
    for name, spec in SPECS.items():
        expected = naive(
            rows, rows if events is None else events, history, spec
        )
        for attribute, position in (("time", 0), ("item", 3)):
            assert result[f"{name}_{attribute}"].to_lists() == [
                [event[position] for event in row] for row in expected
            ]
        if "tags" in spec.attributes:
            assert result[f"{name}_tags"].to_lists() == [
                [event[4] for event in row] for row in expected
            ]


LOG = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 6)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(LOG, LOG, LOG)
def test_equals_a_loop_over_rows(rows, events, history):
    rows, events, history = (
        table([user for user, _ in log], [time for _, time in log], first)
        for log, first in ((rows, 0), (events, 50), (history, 80))
    )
    check(rows)
    check(rows, events)
    check(rows, None, history)
    check(rows, events, history.without("time"))


def test_larger_random_log_equals_the_loop():
    rng = np.random.default_rng(0)
    rows = table(rng.integers(0, 20, 400), rng.integers(0, 50, 400))
    history = table(rng.integers(0, 20, 100), rng.integers(0, 50, 100), 900)
    check(rows, history=history.without("time"))


def test_two_integers_a_row_whatever_the_length():
    rows = table([1] * 1000, range(1000))
    spec = {"seen": SequenceSpec(["item"], max_length=900)}
    column = Sequences("user", "time", spec).add(rows)["seen_item"]
    assert len(column.values) == 1000
    assert int(column.lengths.max()) == 900


def test_attributes_missing_from_the_history():
    rows = Table(
        {
            "user": [1, 1],
            "time": [10, 20],
            "click": np.array([1, 0]),
            "price": np.array([2.5, 3.5], np.float32),
            "kind": np.array(["a", "b"], object),
            "tags": ListColumn.from_lists([[7], [8, 9]]),
            "item": [5, 6],
        }
    )
    history = Table({"user": [1], "item": [4]})
    names = ["item", "click", "price", "kind", "tags"]
    result = Sequences("user", "time", {"seen": SequenceSpec(names)}).add(
        rows, history=history
    )
    seen = {name: result[f"seen_{name}"].to_lists()[1] for name in names}
    assert seen["item"] == [4, 5]
    assert seen["click"] == [-1, 1]
    assert np.isnan(seen["price"][0]) and seen["price"][1] == 2.5
    assert seen["kind"] == [None, "a"]
    assert seen["tags"] == [[], [7]]
    assert result["seen_time"].to_lists() == [[-1], [-1, 10]]


def test_a_history_for_each_behavior():
    rows = table([1], [10])
    past = {"like": Table({"user": [1, 1, 2], "item": [70, 71, 72]})}
    result = Sequences("user", "time", SPECS).add(rows, history=past)
    assert result["like_item"].to_lists() == [[70, 71]]
    assert result["seen_item"].to_lists() == [[]]


def test_users_may_be_text_and_missing():
    rows = Table({"user": ["a", None, "a", None], "time": [1, 2, 3, 4]})
    spec = {"seen": SequenceSpec(["time"])}
    result = Sequences("user", "time", spec).add(rows)
    assert result["seen_time"].to_lists() == [[], [], [1], []]


@pytest.mark.parametrize(
    ("columns", "history", "message"),
    [
        ({}, Table({"item": [1]}), "history.*'user'"),
        ({}, {"liek": table([1], [1])}, "behavior 'liek'"),
        ({"time": np.array([np.nan])}, None, "'time'.*row 0"),
        ({}, Table({"user": ["a"], "item": [1], "liked": [1]}), "'user'.*text"),
        ({"user": np.array([0.5])}, None, "'user', row 0.*0.5"),
    ],
)
def test_mistakes_in_tables_are_named(columns, history, message):
    rows = table([1], [10]).with_columns(columns)
    with pytest.raises(ValueError, match=message):
        Sequences("user", "time", SPECS).add(rows, history=history)


def test_mistakes_in_arguments_are_named():
    unknown = {"like": SequenceSpec(["item"], "likd")}
    with pytest.raises(ValueError, match="'likd'.*'liked'"):
        Sequences("user", "time", unknown).add(table([1], [10]))
    with pytest.raises(ValueError, match="behavior"):
        Sequences("user", "time", {})
    with pytest.raises(ValueError, match="attributes.*'item'"):
        SequenceSpec("item")
    with pytest.raises(ValueError, match="max_length=0"):
        SequenceSpec(["item"], max_length=0)


def test_columns_are_not_overwritten():
    names = {"request": SequenceSpec(["id"]), "user": SequenceSpec(["id"])}
    rows = Table({"user_id": [1, 1], "request_time": [1, 2], "id": [3, 4]})
    sequences = Sequences("user_id", "request_time", names)
    assert sequences.columns == (
        "request_time",
        "request_id",
        "user_time",
        "user_id",
    )
    with pytest.raises(ValueError, match="'request_time'"):
        sequences.add(rows)
    clash = {"a": SequenceSpec(["b_i"]), "a_b": SequenceSpec(["i"])}
    with pytest.raises(ValueError, match="'a_b_i'"):
        Sequences("user", "time", clash)
    with pytest.raises(ValueError, match="'s_item'"):
        Sequences("user", "time", {"s": SequenceSpec(["item", "item"])})
    with pytest.raises(ValueError, match="'s_time'"):
        Sequences("user", "at", {"s": SequenceSpec(["time"])})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["1", "0", "1"], "event log.*'liked'.*'1' in row 0"),
        ([[1], [0], [1]], "'liked'.*lists"),
        ([0, 1, 2], "'liked'.*2 in row 2"),
    ],
)
def test_flags_are_checked(flags, message):
    rows = table([1, 1, 1], [1, 2, 3]).with_columns({"liked": flags})
    with pytest.raises(ValueError, match=message):
        Sequences("user", "time", SPECS).add(rows)


@pytest.mark.parametrize("flags", [[True, False, None], [1.0, 0.0, np.nan]])
def test_flags_may_be_booleans_or_missing(flags):
    rows = table([1, 1, 1], [1, 2, 3]).with_columns({"liked": flags})
    result = Sequences("user", "time", SPECS).add(rows)
    assert result["like_item"].to_lists() == [[], [0], [0]]


@pytest.mark.parametrize(
    ("users", "value"),
    [
        (np.array([1, 2**63], np.uint64), "9223372036854775808"),
        (np.array([1.0, 1e30]), "1e[+]30"),
    ],
)
def test_ids_beyond_int64(users, value):
    rows = table([1, 1], [1, 2]).with_columns({"user": users})
    with pytest.raises(ValueError, match=f"'user', row 1.*{value}"):
        Sequences("user", "time", SPECS).add(rows)


def test_arguments_of_other_types():
    rows = table([1, 1], [1, 2])
    sequences = Sequences("user", "time", SPECS)
    result = sequences.add(rows.to_pandas())
    assert result["seen_item"].to_lists() == [[], [0]]
    with pytest.raises(TypeError, match="rows.*list"):
        sequences.add([1, 2])
    with pytest.raises(TypeError, match="history.*int"):
        sequences.add(rows, history={"like": 3})
    with pytest.raises(TypeError, match=r"'s'.*\['item'\]"):
        Sequences("user", "time", {"s": ["item"]})
    for name in ("user", "time"):
        lists = rows.with_columns({name: [[1], [2]]})
        with pytest.raises(ValueError, match=f"'{name}'.*lists"):
            sequences.add(lists)
