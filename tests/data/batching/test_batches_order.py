"""The order in which rows are visited."""

import numpy as np
import pytest
from batch_examples import ROWS, rows_of, same

from keras_infnet.data.batching.batches import Batches
from keras_infnet.data.batching.row_order import Windows
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.open_source import write_table
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Categorical, Schema, Task


@pytest.mark.parametrize("batch_size", [1, 7, 16, 103, 500])
def test_order_of_the_source(source, encoder, batch_size):
    data = Batches(source, encoder, batch_size)
    assert rows_of(data) == list(range(ROWS))
    data.epoch = 5
    assert rows_of(data) == list(range(ROWS))


@pytest.mark.parametrize("batch_size", [1, 7, 16, 103, 500])
@pytest.mark.parametrize("window", [1, 25, 1000])
def test_shuffling_visits_every_row_once(source, encoder, batch_size, window):
    data = Batches(source, encoder, batch_size, shuffle=True, window=window)
    visited = rows_of(data)
    assert visited != list(range(ROWS))
    assert sorted(visited) == list(range(ROWS))


def test_shuffling_depends_on_seed_and_epoch_alone(source, encoder):
    def data(seed=1):
        return Batches(source, encoder, 16, True, seed, window=25)

    first = data()
    orders = []
    for epoch in range(3):
        first.epoch = epoch
        orders.append(rows_of(first))
    assert len({tuple(order) for order in orders}) == 3
    assert rows_of(data(seed=2)) != orders[0]
    # Another run, later epochs first, batches from the last to the first.
    second = data()
    second.epoch = 2
    backwards = [second[i] for i in reversed(range(len(second)))]
    first.epoch = 2
    for batch, expected in zip(reversed(backwards), first, strict=True):
        same(batch, expected)


def test_row_groups_are_shuffled_too(parquet, encoder):
    data = Batches(parquet, encoder, 10, shuffle=True, window=20)
    visited = rows_of(data)
    groups = [row // 10 for row in visited]
    spans = [
        np.ptp(np.flatnonzero(np.array(groups) == group)) for group in range(11)
    ]
    assert 10 < max(spans) < 25  # windows of 20 rows, or 23 with the last
    firsts = [groups.index(group) for group in range(11)]
    assert firsts != sorted(firsts)


def test_drop_last(source, encoder):
    data = Batches(source, encoder, 16, drop_last=True)
    assert len(data) == 6
    assert rows_of(data) == list(range(96))
    with pytest.raises(ValueError, match="no full batch: 103 rows"):
        Batches(source, encoder, 104, drop_last=True)


def test_packed_csv_keeps_the_order_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_infnet.data.sources.csv_source._BLOCK", 64)
    table = Table({"row": np.arange(100), "click": np.arange(100) % 2})
    schema = Schema([Categorical("row")], [Task("click")])
    encoder = Encoder(schema).fit(table)
    orders = {}
    for suffix in (".csv", ".csv.gz"):
        write_table(table, tmp_path / f"a{suffix}")
        data = Batches(tmp_path / f"a{suffix}", encoder, 8, True, window=20)
        orders[suffix] = rows_of(data)
        assert sorted(orders[suffix]) == list(range(100))
    assert np.argmax(orders[".csv.gz"]) > 70


def test_windows_of_unequal_chunks():
    windows = Windows([5, 1, 1, 9, 2], size=4, shuffle=True, seed=0)
    for epoch in range(5):
        seen = []
        for piece in windows.pieces(epoch, 0, 18):
            # Only the last window may be smaller than asked for.
            sizes = windows.chunk_rows[list(piece.chunks)]
            assert sorted(piece.rows.tolist()) == list(range(sizes.sum()))
            seen += piece.chunks
        assert sorted(seen) == [0, 1, 2, 3, 4]


def test_abandoned_iteration_leaves_the_epoch_alone(encoder, table):
    data = Batches(table, encoder, 16, shuffle=True)
    peek = data.pass_once()
    next(peek)
    data.epoch = 0
    for _ in peek:
        pass
    assert data.epoch == 0
