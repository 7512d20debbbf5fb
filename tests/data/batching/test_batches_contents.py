"""What a batch holds, and the whole columns."""

import numpy as np
import pytest
from batch_examples import LENGTH, ROWS, make_table, rows_of, same

from keras_infnet.data.batching.batches import Batches
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.fit_vocabularies import text_columns
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Categorical, Schema, Task


def test_contents(source, table, encoder):
    data = Batches(source, encoder, batch_size=16)
    assert len(data) == 7 and data.num_rows == ROWS
    schema = encoder.schema
    position = {v: i + 1 for i, v in enumerate(encoder.vocabularies["row"])}
    tags = {v: i + 1 for i, v in enumerate(encoder.vocabularies["tag"])}

    def padded(values, length):
        return (list(values) + [0] * length)[:length]

    start = 0
    for inputs, labels, weights in data:
        assert list(inputs) == list(schema.inputs)
        for name, spec in schema.inputs.items():
            assert inputs[name].dtype == spec.dtype
            assert inputs[name].flags.writeable
        for i in range(len(inputs["row"])):
            row = start + i
            assert inputs["row"][i] == position[row]
            own = [tags[t] for t in range(row % 4)]
            assert inputs["tag"][i].tolist() == padded(own[:2], 2)
            events = table["seen_row"][row].tolist()[-LENGTH:]
            ids = [position[e] for e in events]
            assert inputs["seen_row"][i].tolist() == padded(ids, LENGTH)
            for k in range(LENGTH):
                there = k < len(events)
                assert inputs["seen_mask"][i, k] == there
                own = [tags[t] for t in range(events[k] % 3)] if there else []
                assert inputs["seen_tag"][i, k].tolist() == padded(own, 2)
                # log2(1 + seconds since the event), one up
                gap = 1 + int(np.log2(1 + row)) if there else 0
                assert inputs["seen_gap"][i, k] == gap
            click = row % 2 if row % 10 else 0
            assert labels["click"][i] == click
            assert weights["click"][i] == (row % 10 > 0)
            assert labels["buy"][i] == (row % 4 == 1)
            assert weights["buy"][i] == click
        for name in ("click", "buy"):
            assert labels[name].dtype == weights[name].dtype == np.float32
            assert labels[name].shape == weights[name].shape == (i + 1,)
        start += i + 1
    assert start == ROWS


def test_without_labels(source, encoder):
    data = Batches(source, encoder, 16, labels=False)
    (inputs,) = data[6]
    assert inputs["row"].shape == (7,)
    bare = make_table().without(["click", "buy", "user"])
    same(Batches(bare, encoder, 16, labels=False)[6], (inputs,))
    with pytest.raises(ValueError, match="lacks 3 of .* 'click'"):
        Batches(bare, encoder, 16)


def test_whole_columns(source, table, encoder):
    data = Batches(source, encoder, 16, shuffle=True, seed=3, labels=False)
    labels, weights = data.labels(), data.weights()
    plain = list(Batches(table, encoder, 16))
    for name in ("click", "buy"):
        expected = np.concatenate([batch[1][name] for batch in plain])
        np.testing.assert_array_equal(labels[name], expected)
        expected = np.concatenate([batch[2][name] for batch in plain])
        np.testing.assert_array_equal(weights[name], expected)
    assert data.group().tolist() == table["user"].tolist()


def test_ids_of_a_csv_stay_text(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("zip,click\n007,1\n7,0\n")
    schema = Schema([Categorical("zip", dtype="string")], [Task("click")])
    assert text_columns(schema) == ("zip",)
    encoder = Encoder(schema).fit(Table({"zip": ["007", "7"]}))
    inputs, _, _ = Batches(path, encoder, 2)[0]
    assert sorted(inputs["zip"].tolist()) == [1, 2]


def test_two_windows_in_memory_at_most(parquet, encoder, monkeypatch):
    reads = []
    original = type(open_source(parquet)).read_chunk

    def read_chunk(self, index, columns=None):
        reads.append(index)
        assert "unused" not in columns
        return original(self, index, columns)

    monkeypatch.setattr(type(open_source(parquet)), "read_chunk", read_chunk)
    data = Batches(parquet, encoder, 16, shuffle=True, window=20)
    rows_of(data)
    assert sorted(reads) == list(range(11))
    assert len(data._encoded._tables) <= 2


def test_memory_is_encoded_once(table, encoder, monkeypatch):
    calls = []
    original = Encoder.encode

    def encode(self, *args, **kwargs):
        calls.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Encoder, "encode", encode)
    data = Batches(table, encoder, 16, shuffle=True, window=10)
    for _ in range(3):
        rows_of(data)
        data.on_epoch_end()
    assert data.epoch == 3
    assert len(calls) == 1
