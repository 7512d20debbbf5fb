"""A Parquet file of several row groups."""

import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import write_table


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "log.parquet"
    write_table(make_table(), path, row_group_size=300)
    return path
