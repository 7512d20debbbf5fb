"""Arguments and data that batches refuse."""

import numpy as np
import pytest

from keras_infnet.data.batching.batches import Batches
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import write_table
from keras_infnet.schema import Categorical, Schema, Task


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
        ({"batch_size": 2.5}, "`batch_size`.*Received: 2.5"),
        ({"window": 0}, "`window`"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_bad_arguments(table, encoder, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Batches(table, encoder, **{"batch_size": 4, **kwargs})


def test_bad_access(table, encoder):
    data = Batches(table, encoder, 16)
    with pytest.raises(IndexError):
        data[7]
    with pytest.raises(ValueError, match="negative"):
        data.epoch = -1


def test_bad_data_names_file_column_and_row(tmp_path, table, encoder):
    path = tmp_path / "log.parquet"
    click = np.array(table["click"])
    click[57] = 2
    write_table(table.with_columns({"click": click}), path, row_group_size=10)
    data = Batches(path, encoder, 16)
    where = r"log\.parquet, row group 5 \(its row 0 is row 50 of the file\): "
    with pytest.raises(ValueError, match=where + "column 'click', row 7"):
        data[3]
    with pytest.raises(ValueError, match=where + "column 'click', row 7"):
        data.labels()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"log\.parquet is not .*Parquet"):
        Batches(path, encoder, 16)


def test_group_needs_a_group(table):
    schema = Schema([Categorical("row")], [Task("click")])
    data = Batches(table, Encoder(schema).fit(table), 16)
    with pytest.raises(ValueError, match="no group"):
        data.group()
