"""A table in memory and in a file, and its encoder."""

import pytest
from batch_examples import make_schema, make_table

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import write_table


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def encoder(table):
    encoder = Encoder(make_schema())
    encoder.truncated["seen"] = 0  # said once already
    return encoder.fit(table)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("data") / "log.parquet"
    write_table(table, path, row_group_size=10)
    return path


@pytest.fixture(params=["memory", "parquet"])
def source(request, table, parquet):
    return table if request.param == "memory" else parquet
