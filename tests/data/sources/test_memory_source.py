"""Tables in memory as sources."""

import pandas as pd
import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Table


@pytest.mark.parametrize("kind", ["table", "pandas", "arrow", "batch"])
def test_tables_in_memory(kind):
    table = make_table(10)
    data = {
        "table": table,
        "pandas": table.to_pandas(),
        "arrow": table.to_arrow(),
        "batch": table.to_arrow().to_batches()[0],
    }[kind]
    source = open_source(data)
    assert source.in_memory
    assert source.columns == table.columns
    assert source.num_rows == 10 and source.num_chunks == 1
    read = source.read(["label", "id"])
    assert read.columns == ("label", "id")
    assert read["id"].tolist() == list(range(10))
    assert open_source(source) is source


def test_unused_columns_may_be_of_any_type():
    frame = pd.DataFrame({"a": [1], "odd": [{"x": 1}]})
    assert open_source(frame).read(["a"])["a"].tolist() == [1]
    with pytest.raises(ValueError, match="the table: column 'odd'"):
        open_source(frame).read()


@pytest.mark.parametrize("data", [Table({}), pd.DataFrame({"a": []})])
def test_empty_table(data):
    with pytest.raises(ValueError, match="no rows"):
        open_source(data)
