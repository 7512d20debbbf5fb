"""Raw values of every kind, through the encoder and its parts."""

import decimal
import itertools

import numpy as np
import pytest

from keras_infnet.data.encoding.bins import BinLearner, gap_ids, gap_thresholds
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.vocabularies import IdCounter
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task

HUGE = 2**63 - 1


def objects(*values):
    column = np.empty(len(values), object)
    column[:] = values
    return column


def encode(field, fit, raw):
    """Encodes `raw` with what is learned from `fit`."""
    schema = Schema([field], [Task("y")])
    one, two = (
        Table({field.name: column, "y": np.zeros(len(column))})
        for column in (fit, raw)
    )
    return Encoder(schema).fit(one).encode(two)[field.name]


KNOWN = np.array([0, 1, HUGE])  # ids 1, 2, 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (np.array([HUGE, 5, -1, -(2**63)]), [3, 0, 0, 0]),
        (np.array([1, 0], np.int8), [2, 1]),
        (np.array([1, 0, HUGE], np.uint64), [2, 1, 3]),
        (np.array([True, False]), [2, 1]),
        (np.array([1.0, np.nan, -3.0, 0.0]), [2, 0, 0, 1]),
        (objects(1, None, 0), [2, 0, 1]),
        (objects(1.0, None, 0), [2, 0, 1]),
        (objects(True, None), [2, 0]),
        (objects(-(2**70), 1), [0, 2]),
        (objects(decimal.Decimal(1), None), [2, 0]),
        (objects(None, None), [0, 0]),
        (objects("", None), [0, 0]),
    ],
)
def test_integer_ids(raw, expected):
    assert encode(Categorical("a"), KNOWN, raw).tolist() == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([1.0, 1.5], "'a', row 1: .*whole numbers.*1.5"),
        ([1.0, np.inf], "'a', row 1: .*inf"),
        ([1.0, 2.0**63], "'a', row 1: .*9.2"),
        (np.array([1, 2**63], np.uint64), "'a', row 1: .*does not fit"),
        (objects(1, 2**63), "'a', row 1: .*does not fit.*'string'"),
        (objects("1", "2"), "'a', row 0: .*cannot hold text.*'1'.*'string'"),
        (objects(None, 1, "x"), "'a', row 1: .*text or other objects"),
        (np.array(["2022-01-01"], "datetime64[s]"), "'a': .*datetime64"),
        (ListColumn.from_lists([[1]]), "'a': holds lists.*multivalued"),
    ],
)
def test_bad_integer_ids(raw, message):
    with pytest.raises(ValueError, match=message):
        encode(Categorical("a"), KNOWN, raw)


def test_strings():
    field = Categorical("a", dtype="string")
    known = objects("x", "x", "x", "é", "é", " x")
    raw = objects("é", b"x", None, "", " x", "X", np.nan, "\u00e9".encode())
    expected = [2, 1, 0, 0, 3, 0, 0, 2]
    assert encode(field, known, raw).tolist() == expected
    assert encode(field, known, np.full(2, np.nan)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.array([1, 2]), "'a': a string field.*int64.*dtype='int'"),
        (np.array([1.0]), "'a': a string field.*float64"),
        (objects("x", 1), "'a', row 1: .*cannot hold 1"),
        (objects("x", b"\xff"), "'a', row 1: .*not UTF-8"),
    ],
)
def test_bad_strings(raw, message):
    with pytest.raises(ValueError, match=message):
        encode(Categorical("a", dtype="string"), objects("x"), raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([np.nan, -np.inf, np.inf, 1e300, -1e300], [0, 1, 3, 3, 1]),
        (np.array([0, 1, 2, 3]), [1, 2, 3, 3]),
        (np.array([True, False]), [2, 1]),
        (objects(2, None, 0.5), [3, 0, 1]),
        (objects(None, ""), [0, 0]),
        # Compared in float32: the nearest to 1 - 1e-9 is 1.
        (np.array([1 - 1e-9]), [2]),
    ],
)
def test_numbers(raw, expected):
    fit = np.array([0.0, 1.0, 2.0, 3.0])  # edges 1 and 2
    assert encode(Numeric("a", bins=3), fit, raw).tolist() == expected


def test_bad_numbers():
    with pytest.raises(ValueError, match="'a', row 1: .*'x'.*'string'"):
        encode(Numeric("a"), np.zeros(1), objects(None, "x"))
    with pytest.raises(ValueError, match="'a': .*datetime64"):
        encode(Numeric("a"), np.zeros(1), np.zeros(1, "datetime64[s]"))


# ------------------------------------------------------------ multi-valued


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            ListColumn.from_lists([[0, 9, 1, 1], [], [-1, 0]]),
            [[1, 0, 2], [], [0, 1]],
        ),
        (objects("0,9,1,1", "", None), [[1, 0, 2], [], []]),
        (objects(" 1 , ,0", ",", "1"), [[2, 1], [], [2]]),
        (objects("-1,0"), [[0, 1]]),
        (np.array([1, 0, -1]), [[2], [1], [0]]),
        (np.array([1.0, np.nan]), [[2], [0]]),
        (objects(1, None), [[2], [0]]),
        (objects(b"0,1"), [[1, 2]]),
        (np.full(2, np.nan), [[0], [0]]),
    ],
)
def test_multivalued_integers(raw, expected):
    field = Categorical("a", multivalued=True, max_values=3)
    assert encode(field, KNOWN, raw).to_lists() == expected


def test_multivalued_strings():
    field = Categorical("a", dtype="string", multivalued=True, separator=" | ")
    fit = objects("x | y z", "x", None)
    raw = objects("y z | q", "x |  | x", "")
    assert encode(field, fit, raw).to_lists() == [[2, 0], [1, 1], []]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (objects("1", "1,x"), "'a', row 1: 'x'"),
        (objects("1", "1.5"), "'a', row 1: '1.5'"),
        (objects("1", f"3,{2**63}"), "'a', row 1: the id 9223372036854775808"),
        (ListColumn.from_lists([[1], [2.5]]), "'a', row 1: .*2.5"),
        (ListColumn.from_lists([[[1]]]), "'a': holds lists nested"),
    ],
)
def test_bad_multivalued(raw, message):
    with pytest.raises(ValueError, match=message):
        encode(Categorical("a", multivalued=True), KNOWN, raw)


def test_joined_text_of_events():
    tag = Categorical("tag", multivalued=True)
    schema = Schema([tag], [Task("y")], [Behavior("seen", ["tag"])])
    table = Table(
        {
            "tag": objects("7,8", "7"),
            "seen_tag": ListColumn.from_lists([["8,7", "", "7"], []]),
            "y": [0, 1],
        }
    )
    encoder = Encoder(schema).fit(table)
    encoded = encoder.encode(table)["seen_tag"]
    assert encoded.to_lists() == [[[2, 1], [1]], []]
    bad = ListColumn.from_lists([[], ["8", "8;7"]])
    with pytest.raises(ValueError, match="'seen_tag', row 1: '8;7'"):
        encoder.encode(table.with_columns({"seen_tag": bad}))


def test_empty_and_null_list_columns():
    schema = Schema(
        [Categorical("a", dtype="string")],
        [Task("y")],
        [Behavior("seen", ["a"])],
    )
    table = Table(
        {
            "a": objects("x", "y"),
            "seen_a": ListColumn.from_lists([[], []]),
            "y": [0, 1],
        }
    )
    encoder = Encoder(schema).fit(table)
    null = table.with_columns({"seen_a": np.full(2, np.nan)})
    for one in (table, null):
        assert encoder.encode(one)["seen_a"].to_lists() == [[], []]


# ------------------------------------------------------------------- times


def test_gap_thresholds_are_exact():
    for unit, second in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        for k in range(1, 32):
            edge = (2**k - 1) * second
            request = np.full(3, 4 * 10**18)
            event = request - np.array([edge - 1, edge, edge + 1])
            assert gap_ids(request, event, unit).tolist() == [k, k + 1, k + 1]
        assert len(gap_thresholds(unit)) == 31


def test_gaps_at_the_ends():
    request = np.array([HUGE, 5, 5, -1, 5])
    event = np.array([0, 9, 5, 3, -1])
    assert gap_ids(request, event, "ms").tolist() == [32, 1, 1, 0, 0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_are_times(unit):
    schema = Schema(
        [Categorical("a")],
        [Task("y")],
        [Behavior("seen", ["a"], timed=True)],
        request_time="at",
        time_unit=unit,
    )
    seen = np.array(["2022-05-01T00:00:57", "NaT"], "datetime64[ns]")
    table = Table(
        {
            "a": [1],
            "at": np.array(["2022-05-01T00:01"], "datetime64[s]"),
            "seen_a": ListColumn.from_lists([[1, 1]]),
            "seen_time": ListColumn(seen, [0], [2]),
            "y": [1],
        }
    )
    encoded = Encoder(schema).fit(table).encode(table)
    assert encoded["seen_gap"].to_lists() == [[3, 0]]  # 3 s: log2(1 + 3) = 2
    bad = table.with_columns({"at": objects("2022")})
    with pytest.raises(ValueError, match="'at', row 0: a time cannot hold"):
        Encoder(schema).fit(table).encode(bad)


# ---------------------------------------------------------------- learning


def test_sampled_quantiles_do_not_depend_on_chunks():
    values = np.random.default_rng(0).normal(size=20_000).astype("float32")
    values[::7] = np.nan
    edges = []
    for step in (20_000, 333):
        learner = BinLearner(Numeric("a", bins=10), sample_size=2000)
        for start in range(0, 20_000, step):
            learner.add(values[start : start + step])
        edges.append(learner.boundaries())
    assert (edges[0] == edges[1]).all()
    exact = np.nanquantile(values, np.arange(1, 10) / 10)
    np.testing.assert_allclose(edges[0], exact, atol=0.1)


def test_counts_merge():
    rng = np.random.default_rng(0)
    ids = rng.zipf(1.5, 5000) % 300
    counter = IdCounter(Categorical("a", min_count=3))
    for part in np.array_split(ids, 40):
        counter.add(part)
    counts = {i: int((ids == i).sum()) for i in set(ids.tolist())}
    kept = [i for i, count in counts.items() if count >= 3]
    expected = sorted(kept, key=lambda i: (-counts[i], i))
    assert counter.vocabulary().tolist() == expected


def test_order_of_equally_frequent_texts():
    counter = IdCounter(Categorical("a", dtype="string", max_size=3))
    for text in itertools.permutations("cba"):
        counter.add(objects(*text, "é", ""))
    assert counter.vocabulary().tolist() == ["a", "b", "c"]
