"""Encoders that are saved and loaded."""

import numpy as np
import pytest
from encoder_examples import make_rows, make_schema, make_table

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Categorical, Numeric, Schema, Task


def test_round_trip(tmp_path, rows, encoder):
    encoder.save(tmp_path / "model")
    loaded = Encoder.load(tmp_path / "model")
    assert loaded.schema == encoder.schema
    for name, ids in encoder.vocabularies.items():
        assert loaded.vocabularies[name].dtype == ids.dtype
        assert loaded.vocabularies[name].tolist() == ids.tolist()
    for name, edges in encoder.boundaries.items():
        assert loaded.boundaries[name].tobytes() == edges.tobytes()
    table = make_table(rows)
    one, two = encoder.encode(table), loaded.encode(table)
    for name in one.columns:
        if isinstance(one[name], ListColumn):
            assert one[name].to_lists() == two[name].to_lists()
        else:
            np.testing.assert_array_equal(one[name], two[name])
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "schema.json",
        "vocabularies.npz",
    ]


def test_round_trip_of_odd_names_and_texts(tmp_path):
    texts = ["a\x00", "a", "", "é" * 300, "\u2028", "file"]
    schema = Schema(
        [Categorical("file", dtype="string"), Categorical("e", dtype="string")],
        [Task("y")],
    )
    table = Table(
        {
            "file": np.array(texts, object),
            "e": np.full(6, None, object),
            "y": np.zeros(6),
        }
    )
    encoder = Encoder(schema).fit(table)
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert set(loaded.vocabularies["file"]) == set(texts) - {""}
    assert len(loaded.vocabularies["e"]) == 0
    assert (
        loaded.encode(table)["file"].tolist()
        == encoder.encode(table)["file"].tolist()
    )


def test_files_that_disagree(tmp_path, rows, encoder):
    encoder.save(tmp_path)
    other = Encoder(make_schema()).fit(make_table(make_rows(20, seed=3)))
    other.schema.save(tmp_path / "schema.json")
    with pytest.raises(ValueError, match="disagree: table 'item' has .* rows"):
        Encoder.load(tmp_path)
    fewer = Schema([Numeric("price", bins=2)], [Task("click")])
    fewer.save(tmp_path / "schema.json")
    with pytest.raises(ValueError, match="2 bins.*3 bound.*'city' is not in"):
        Encoder.load(tmp_path)


def test_damaged_and_missing_files(tmp_path, encoder):
    with pytest.raises(FileNotFoundError, match=r"has no schema.json"):
        Encoder.load(tmp_path)
    encoder.save(tmp_path)
    path = tmp_path / "vocabularies.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="vocabularies.npz is damaged"):
        Encoder.load(tmp_path)
