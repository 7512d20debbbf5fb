"""Which files are opened, and files that do not fit together."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import open_source, write_table
from keras_infnet.data.sources.table import Table


def test_wrong_kind_of_source():
    with pytest.raises(TypeError, match="Received: int"):
        open_source(3)
    with pytest.raises(ValueError, match="list of paths is empty"):
        open_source([])


@pytest.mark.parametrize("how", ["directory", "glob", "list"])
def test_many_files(tmp_path, how):
    for part in range(3):
        write_table(make_table(10, part * 10), tmp_path / f"{part}.parquet")
    (tmp_path / "_SUCCESS").touch()
    source = open_source(
        {
            "directory": tmp_path,
            "glob": str(tmp_path / "*.parquet"),
            "list": [tmp_path / f"{part}.parquet" for part in range(3)],
        }[how]
    )
    assert source.num_chunks == 3
    assert source.read()["id"].tolist() == list(range(30))


def test_files_without_rows_are_skipped(tmp_path):
    write_table(make_table(5), tmp_path / "a.parquet")
    empty = make_table(5).to_arrow().slice(0, 0)
    write_table(empty, tmp_path / "b.parquet")
    assert open_source(tmp_path).num_rows == 5
    with pytest.raises(ValueError, match=r"b\.parquet has no rows"):
        open_source(tmp_path / "b.parquet")


def test_types_that_differ_between_files(tmp_path):
    write_table(Table({"a": [1, 2]}), tmp_path / "1.parquet")
    write_table(Table({"a": [None, 4.5]}), tmp_path / "2.parquet")
    np.testing.assert_array_equal(
        open_source(tmp_path).read()["a"], [1, 2, np.nan, 4.5]
    )
    write_table(Table({"a": ["x"]}), tmp_path / "3.parquet")
    with pytest.raises(ValueError, match="column 'a' holds text in one part"):
        open_source(tmp_path).read()


def test_columns_that_differ_between_files(tmp_path):
    write_table(Table({"a": [1], "b": [1]}), tmp_path / "1.parquet")
    write_table(Table({"a": [1], "c": [1]}), tmp_path / "2.parquet")
    with pytest.raises(
        ValueError, match=r"2\.parquet.*1\.parquet. Missing: b. Extra: c."
    ):
        open_source(tmp_path)


def test_names_of_columns_that_repeat(tmp_path):
    path = tmp_path / "log.parquet"
    one = pa.array([1, 2])
    table = pa.Table.from_arrays([one, one, one], ["age", "y", "age"])
    pq.write_table(table, path)
    with pytest.raises(ValueError, match=r"log\.parquet: .*Repeated: age\."):
        open_source(path)
    frame = pd.DataFrame([[1, 2]], columns=["age", "age"])
    for data in (table, frame):
        with pytest.raises(ValueError, match=r"the table: .*Repeated: age\."):
            open_source(data)


def test_missing_files(parquet):
    with pytest.raises(FileNotFoundError, match=r"mean 'log\.parquet'"):
        open_source(parquet.with_name("logs.parquet"))
    with pytest.raises(FileNotFoundError, match="no folder"):
        open_source("/nowhere/at/all.parquet")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        open_source(str(parquet.parent / "*.csv"))
    empty = parquet.parent / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="holds no .parquet"):
        open_source(empty)


def test_unknown_format_and_mixed_formats(tmp_path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(ValueError, match=r"must end in \.parquet"):
        open_source(path)
    write_table(Table({"a": [1]}), tmp_path / "a.parquet")
    write_table(Table({"a": [1]}), tmp_path / "a.csv")
    with pytest.raises(ValueError, match="both Parquet and CSV"):
        open_source(tmp_path)
