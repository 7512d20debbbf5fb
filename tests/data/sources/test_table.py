import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table

# ---------------------------------------------------------------- ListColumn


def brute_pad(rows, length, fill):
    return [(list(r) + [fill] * length)[:length] for r in rows]


@pytest.fixture
def overlapping():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 1000, 300)
    ends = rng.integers(0, 301, 200)
    starts = np.maximum(0, ends - rng.integers(0, 30, 200))
    rows = [values[s:e].tolist() for s, e in zip(starts, ends, strict=True)]
    return ListColumn(values, starts, ends), rows


def test_rows_and_views(overlapping):
    column, rows = overlapping
    assert column.to_lists() == rows
    assert column.lengths.tolist() == [len(r) for r in rows]
    assert column.newest(7).to_lists() == [r[-7:] for r in rows]
    assert column.first(7).to_lists() == [r[:7] for r in rows]
    order = np.array([5, 5, 199, 0])
    taken = column.take(order)
    assert taken.to_lists() == [rows[i] for i in order]
    assert taken.values is column.values
    assert column[3].tolist() == rows[3]
    assert column[2:5].to_lists() == rows[2:5]
    flat = column.flatten()
    assert flat.tolist() == [v for r in rows for v in r]
    compact = column.compact()
    assert compact.to_lists() == rows
    assert len(compact.values) == sum(len(r) for r in rows)


@pytest.mark.parametrize("length", [0, 1, 10, 40])
def test_pad(overlapping, length):
    column, rows = overlapping
    padded = column.pad(length, fill=-1)
    assert padded.tolist() == brute_pad(rows, length, -1)
    mask = column.mask(length)
    assert mask.sum(axis=1).tolist() == [min(len(r), length) for r in rows]
    assert np.all(padded[~mask] == -1)


def test_pad_in_many_blocks(monkeypatch, overlapping):
    column, rows = overlapping
    monkeypatch.setattr("keras_infnet.data.sources.list_column._CELLS", 64)
    assert column.pad(9, fill=7).tolist() == brute_pad(rows, 9, 7)


def test_nested_lists():
    rows = [[[1], [2, 3], []], [], [[4, 5, 6]]]
    column = ListColumn.from_lists(rows)
    assert column.depth == 2
    assert column.to_lists() == rows
    assert column.take([2, 0]).to_lists() == [rows[2], rows[0]]
    assert column.newest(2).to_lists() == [[[2, 3], []], [], [[4, 5, 6]]]
    assert column.take([2, 0]).compact().to_lists() == [rows[2], rows[0]]
    assert column.pad((2, 2), fill=0).tolist() == [
        [[1, 0], [2, 3]],
        [[0, 0], [0, 0]],
        [[4, 5], [0, 0]],
    ]
    with pytest.raises(ValueError, match="length=3"):
        column.pad(3)


def test_lists_of_strings_pad_with_text():
    column = ListColumn.from_lists([["a", None], None, ["b"]])
    assert column.pad(2, fill="").tolist() == [["a", None], ["", ""], ["b", ""]]


def test_concat_shares_common_values(overlapping):
    column, rows = overlapping
    joined = ListColumn.concat([column[:3], column[5:9]])
    assert joined.values is column.values
    assert joined.to_lists() == rows[:3] + rows[5:9]


def test_concat_of_different_values():
    parts = [[[1]], [None, []], [[2, 3], [4]]]
    columns = [ListColumn.from_lists(p) for p in parts]
    joined = ListColumn.concat(columns)
    assert joined.to_lists() == [[1], [], [], [2, 3], [4]]
    assert joined.dtype == np.int64
    nested = [ListColumn.from_lists(p) for p in ([[[1], []]], [[]], [[[2]]])]
    assert ListColumn.concat(nested).to_lists() == [[[1], []], [], [[2]]]
    with pytest.raises(ValueError, match="lists"):
        ListColumn.concat([columns[0], nested[0]])


@pytest.mark.parametrize(
    "starts, ends",
    [([0], [4]), ([-1], [2]), ([2], [1]), ([0, 0], [1])],
)
def test_slices_outside_the_values(starts, ends):
    with pytest.raises(ValueError, match="start"):
        ListColumn(np.arange(3), starts, ends)


def test_from_lists_errors():
    with pytest.raises(ValueError, match="list column"):
        ListColumn.from_lists([[1], ["a"]])
    with pytest.raises(ValueError, match="int64"):
        ListColumn.from_lists([1, 2])
    assert ListColumn.from_lists([], dtype="int32").dtype == np.int32


# --------------------------------------------------------------------- Table


def frame():
    return pd.DataFrame(
        {
            "id": [1, 2, 3],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "score": np.array([0.5, np.nan, 2], "float32"),
            "name": ["x", None, "z"],
            "object": pd.Series(["x", np.nan, "z"], dtype=object),
            "kind": pd.Categorical(["u", "v", None]),
            "tags": [[1, 2], [], None],
            "arrays": [np.array([1.5]), np.array([]), np.array([2.0, 3.0])],
            "deep": [[[1], [2, 3]], [], [[]]],
            "texts": [["a", "b"], ["c"], []],
            "when": pd.to_datetime(["2022-04-08"] * 3),
        }
    )


EXPECTED = {
    "id": [1, 2, 3],
    "flag": [True, False, True],
    "name": ["x", None, "z"],
    "object": ["x", None, "z"],
    "kind": ["u", "v", None],
    "tags": [[1, 2], [], []],
    "arrays": [[1.5], [], [2.0, 3.0]],
    "deep": [[[1], [2, 3]], [], [[]]],
    "texts": [["a", "b"], ["c"], []],
}


def as_lists(column):
    if isinstance(column, ListColumn):
        return column.to_lists()
    return column.tolist()


@pytest.mark.parametrize("way", ["pandas", "arrow", "pandas twice"])
def test_conversions_keep_values(way):
    table = Table.from_pandas(frame())
    if way == "arrow":
        table = Table.from_arrow(table.to_arrow())
    elif way == "pandas twice":
        table = Table.from_pandas(table.to_pandas())
    assert table.columns == tuple(frame().columns)
    for name, values in EXPECTED.items():
        assert as_lists(table[name]) == values, name
    np.testing.assert_array_equal(table["nullable"], [1, np.nan, 3])
    np.testing.assert_array_equal(table["maybe"], [1, np.nan, 0])
    np.testing.assert_array_equal(table["score"], np.float32([0.5, np.nan, 2]))
    assert table["id"].dtype == np.int64
    assert table["score"].dtype == np.float32
    assert table["flag"].dtype == np.bool_
    assert table["when"].dtype.kind == "M"


def test_arrow_types():
    table = Table.from_arrow(
        pa.table(
            {
                "sliced": pa.array([[9], [1], [2, 3], None]).slice(1),
                "fixed": pa.array(
                    [[1, 2], [3, 4], [5, 6], [7, 8]], pa.list_(pa.int32(), 2)
                ).slice(1),
                "view": pa.array([[1], [], [2, 3]], pa.list_view(pa.int64())),
                "large": pa.array(
                    [["a"], [], ["b"]], pa.large_list(pa.string())
                ),
                "code": pa.array(["p", "q", "p"]).dictionary_encode(),
                "nothing": pa.nulls(3),
                "bytes": pa.array([b"a", None, b"c"]),
                "chunks": pa.chunked_array([[1, 2], [], [None]], pa.int16()),
            }
        )
    )
    assert table["sliced"].to_lists() == [[1], [2, 3], []]
    assert len(table["sliced"].values) < 5
    assert table["fixed"].to_lists() == [[3, 4], [5, 6], [7, 8]]
    assert table["fixed"].dtype == np.int32
    assert table["view"].to_lists() == [[1], [], [2, 3]]
    assert table["large"].to_lists() == [["a"], [], ["b"]]
    assert table["code"].tolist() == ["p", "q", "p"]
    assert np.isnan(table["nothing"]).all()
    assert table["bytes"].tolist() == [b"a", None, b"c"]
    np.testing.assert_array_equal(table["chunks"], [1, 2, np.nan])


def test_long_list_column_is_not_copied():
    arrow = pa.array([[1, 2], [3]])
    column = Table.from_arrow(pa.table({"a": arrow}))["a"]
    assert column.values.ctypes.data == arrow.values.to_numpy().ctypes.data


def test_unsupported_types_name_the_column():
    struct = pa.table({"s": pa.array([{"a": 1}])})
    with pytest.raises(ValueError, match="column 's'.*struct"):
        Table.from_arrow(struct)
    mixed = pd.DataFrame({"m": pd.Series([1, "a"], dtype=object)})
    with pytest.raises(ValueError, match="column 'm'"):
        Table.from_pandas(mixed)
    with pytest.raises(ValueError, match="column 'c'.*complex"):
        Table({"c": np.array([1j])})
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        Table({"c": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="Repeated: a"):
        Table.from_pandas(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_big_integers_never_lose_digits():
    big = 2**60 + 1
    arrow = pa.table({"id": pa.array([big, None])})
    with pytest.raises(ValueError, match="column 'id'.*integers"):
        Table.from_arrow(arrow)
    whole = Table({"id": np.array([big])})
    assert whole["id"].tolist() == [big]
    with pytest.raises(ValueError, match="column 'id'.*integers"):
        Table.concat([whole, Table({"id": np.array([np.nan])})])


def test_rows_and_columns():
    table = Table({"a": [1, 2, 3], "b": ["x", "y", None], "l": [[1], [], [2]]})
    assert len(table) == 3
    assert "a" in table and "c" not in table
    assert table.take([2, 0])["b"].tolist() == [None, "x"]
    assert len(table.take([])) == 0
    assert table.filter(table["a"] > 1)["l"].to_lists() == [[], [2]]
    assert table.slice(1, 3)["a"].tolist() == [2, 3]
    assert table.select(["l", "a"]).columns == ("l", "a")
    assert table.without("a").columns == ("b", "l")
    wider = table.with_columns({"d": np.zeros(3), "a": [7, 8, 9]})
    assert wider.columns == ("a", "b", "l", "d")
    assert wider["a"].tolist() == [7, 8, 9]
    assert table["a"].tolist() == [1, 2, 3]


def test_tables_cannot_be_changed():
    source = np.arange(3)
    table = Table({"a": source})
    with pytest.raises(ValueError, match="read-only"):
        table["a"][0] = 5
    source[0] = 1  # the caller's array stays writeable


def test_table_errors():
    table = Table({"user_id": [1], "item_id": [2]})
    with pytest.raises(ValueError, match="'itm_id'.*'item_id'"):
        table["itm_id"]
    with pytest.raises(ValueError, match="unknown column 'x'"):
        table.without(["x"])
    with pytest.raises(ValueError, match="'b'.*'a'"):
        Table({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="item_id"):
        Table.concat([table, table.without("item_id")])
    with pytest.raises(ValueError, match="table"):
        Table.concat([])
    with pytest.raises(ValueError, match="`indices`"):
        table.take([True])
    with pytest.raises(ValueError, match="`mask`.*2"):
        table.filter([True, False])


def test_concat_mixes_parts():
    joined = Table.concat(
        [
            Table({"n": [1], "s": ["a"], "l": [[1]]}),
            Table({"n": [None], "s": [None], "l": [None]}),
            Table({"n": [2.5], "s": ["b"], "l": [[2]]}),
        ]
    )
    np.testing.assert_array_equal(joined["n"], [1, np.nan, 2.5])
    assert joined["s"].tolist() == ["a", None, "b"]
    assert joined["l"].to_lists() == [[1], [], [2]]
    with pytest.raises(ValueError, match="column 'n'"):
        Table.concat([Table({"n": [1]}), Table({"n": ["a"]})])
