"""Parquet files, whole and damaged."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import open_source


def test_row_groups_are_chunks(parquet):
    source = open_source(str(parquet))
    assert source.columns == ("id", "name", "tags", "label")
    assert source.chunk_rows == (300, 300, 300, 100)
    chunk = source.read_chunk(1, ["tags", "id"])
    assert chunk.columns == ("tags", "id")
    assert chunk["id"].tolist() == list(range(300, 600))
    assert chunk["tags"].to_lists()[3] == [0, 1, 2]
    whole = source.read()
    assert whole["id"].tolist() == list(range(1000))
    assert whole["name"].tolist() == make_table()["name"].tolist()
    with pytest.raises(IndexError):
        source.read_chunk(4)


def test_unknown_column_names_the_file(parquet):
    with pytest.raises(
        ValueError, match=r"log\.parquet: unknown column 'labl'.*'label'"
    ):
        open_source(parquet).read_chunk(0, ["labl"])


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_truncated_parquet(parquet, keep):
    data = parquet.read_bytes()
    parquet.write_bytes(data[:keep])
    with pytest.raises(ValueError, match=r"log\.parquet"):
        open_source(parquet)


def test_damaged_parquet_page(tmp_path):
    path = tmp_path / "log.parquet"
    table = pa.table({"a": np.random.default_rng(0).random(5000)})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4:2000] = bytes(1996)
    path.write_bytes(data)
    source = open_source(path)
    with pytest.raises(ValueError, match=r"log\.parquet, row group 0: "):
        source.read()
