"""Files that are written whole or not at all."""

import os

import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import open_source, write_table
from keras_infnet.data.sources.table import Table


def test_writing_is_one_step(tmp_path, parquet, monkeypatch):
    before = parquet.read_bytes()

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_table(make_table(3), parquet)
    assert parquet.read_bytes() == before
    assert os.listdir(tmp_path) == ["log.parquet"]


def test_lists_do_not_go_into_csv(tmp_path):
    for table in (make_table(3), make_table(3).to_arrow()):
        with pytest.raises(ValueError, match="cannot hold lists.*'tags'"):
            write_table(table, tmp_path / "a.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_parts_are_written_one_by_one(tmp_path, suffix):
    path = tmp_path / f"parts{suffix}"
    parts = (Table({"a": [i, i + 1], "b": ["x", "y"]}) for i in (0, 2, 4))
    write_table(parts, path)
    table = open_source(path).read()
    assert table["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["b"].tolist() == ["x", "y"] * 3


def test_a_part_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "parts.csv"
    write_table(Table({"a": [1]}), path)

    def parts():
        yield Table({"a": [2]})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(parts(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["parts.csv"]
    assert open_source(path).read()["a"].tolist() == [1]
    with pytest.raises(ValueError, match="no rows"):
        write_table(iter([]), path)
