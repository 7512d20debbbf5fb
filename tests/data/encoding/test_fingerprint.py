"""Models and batches know which encoder their ids came from."""

import hashlib

import numpy as np
import pytest
from encoder_examples import make_rows, make_schema, make_table

from keras_infnet.data import Batches, Encoder, Table
from keras_infnet.schema import Categorical, Numeric, Schema, Task
from keras_infnet.schema.agreement import check_encoder_matches


def _small(ids=(7, 8, 7), prices=(1.0, 2.0, 3.0), **options):
    schema = Schema(
        [Categorical("item", **options), Numeric("price", bins=2)], [Task("y")]
    )
    table = Table({"item": list(ids), "price": list(prices)})
    return Encoder(schema).fit(table)


def test_fingerprint_is_a_hash_of_ids_and_edges():
    text = '["ms", [["item", "item", null, "int", null, false, ","], '
    text += '["price", "price", null, "number"]]]'
    expected = hashlib.sha256(text.encode())
    expected.update(b"item.ids <i8 2")
    expected.update(np.array([7, 8], "<i8").tobytes())
    expected.update(b"price.boundaries <f4 1")
    expected.update(np.array([2.0], "<f4").tobytes())
    assert _small().fingerprint == expected.hexdigest()[:32]


def test_equal_encoders_have_equal_fingerprints(tmp_path, rows, encoder):
    again = Encoder(make_schema()).fit(make_table(rows))
    assert again.fingerprint == encoder.fingerprint
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert loaded.fingerprint == encoder.fingerprint
    assert loaded.schema.fingerprint == encoder.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"ids": (8, 7, 8)},
        {"prices": (1.0, 2.5, 3.0)},
        {"hash_buckets": 2},
        {"table": "other"},
    ],
)
def test_other_ids_have_another_fingerprint(other):
    assert _small(**other).fingerprint != _small().fingerprint


def test_hashed_ids_need_no_fit():
    schema = Schema([Categorical("item", hash_buckets=5)], [Task("y")])
    encoder = Encoder(schema)
    fitted = Encoder(schema).fit(Table({"item": [1]}))
    assert encoder.fingerprint == fitted.fingerprint is not None


def test_unfitted_encoder_has_none():
    assert Encoder(make_schema()).fingerprint is None


def test_batches_and_schemas_carry_it(rows, encoder):
    batches = Batches(make_table(rows), encoder, batch_size=50)
    assert batches.fingerprint == encoder.fingerprint
    copy = Schema.from_json(batches.schema.to_json())
    assert copy.fingerprint == encoder.fingerprint
    assert copy.with_candidates(["item"]).fingerprint == encoder.fingerprint


def test_other_encoder_is_refused():
    one, other = _small().schema, _small(ids=(8, 7, 8)).schema
    assert one == other
    assert hash(one) == hash(other)
    check_encoder_matches(one, one)
    check_encoder_matches(one, one.with_candidates(["item"]))
    with pytest.raises(ValueError, match=other.fingerprint):
        check_encoder_matches(one, other)


def test_encoder_of_an_earlier_version_is_not_known(tmp_path):
    encoder = _small()
    unknown = encoder.schema.with_table_sizes({})
    assert unknown.fingerprint is None
    assert "fingerprint" not in unknown.to_dict()
    check_encoder_matches(unknown, _small(ids=(8, 7, 8)).schema)
    encoder.save(tmp_path)
    unknown.save(tmp_path / "schema.json")
    assert Encoder.load(tmp_path).fingerprint == encoder.fingerprint


def test_fitting_again_must_be_asked_for():
    encoder = _small()
    first, table = encoder.fingerprint, Table({"item": [9], "price": [5.0]})
    with pytest.raises(ValueError, match="refit=False"):
        encoder.fit(table)
    assert encoder.fingerprint == first
    encoder.fit(table, refit=True)
    assert encoder.fingerprint != first
    assert encoder.vocabularies["item"].tolist() == [9]
    assert encoder.schema.table_size("item") == 2


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("item.ids", [7, 8, 9], "3 rows in the schema, but 3 ids"),
        ("item.ids", [7, -8], "-8"),
        ("item.ids", [8, 7], "fingerprint"),
        ("price.boundaries", [np.nan], "price"),
    ],
)
def test_changed_files_are_refused(tmp_path, name, array, message):
    _small().save(tmp_path)
    path = tmp_path / "vocabularies.npz"
    arrays = dict(np.load(path))
    arrays[name] = np.array(array, arrays[name].dtype)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("offsets", [[0, 1000], [0, -4], [3, 0]])
def test_damaged_texts_are_refused(tmp_path, offsets):
    schema = Schema([Categorical("city", dtype="string")], [Task("y")])
    encoder = Encoder(schema).fit(Table({"city": ["Rome"]}))
    encoder.save(tmp_path)
    path = tmp_path / "vocabularies.npz"
    arrays = dict(np.load(path))
    arrays["city.offsets"] = np.array(offsets)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="vocabularies.npz is damaged"):
        Encoder.load(tmp_path)
    del arrays["city.bytes"]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="vocabularies.npz is damaged"):
        Encoder.load(tmp_path)


def test_all_batches_hold_ids_of_their_tables(rows, encoder):
    other = make_table(make_rows(300, seed=5))  # most ids are unknown
    schema = encoder.schema
    for inputs, _, _ in Batches(other, encoder, batch_size=100):
        for name, part, _ in schema.columns():
            assert inputs[name].min() >= 0
            assert inputs[name].max() < schema.table_size(part.table_name)
