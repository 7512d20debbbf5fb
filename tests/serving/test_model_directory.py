"""Model directories hold together or say why not."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest

from keras_infnet.data import Batches
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.models import INFNet
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.serving import load_model_directory, save_model_directory
from keras_infnet.serving import model_directory as module
from keras_infnet.serving.model_directory import check_agreement
from keras_infnet.training import predict_rows


def make_encoder(items):
    schema = Schema([Categorical("item")], [Task("buy")])
    table = Table({"item": items, "buy": [0] * len(items)})
    return Encoder(schema).fit(table)


@pytest.fixture(scope="module")
def small():
    encoder = make_encoder([3, 5, 8])
    return INFNet(encoder.schema, token_dim=4, num_blocks=1), encoder


@pytest.fixture
def saved(small, tmp_path):
    return save_model_directory(
        *small,
        tmp_path / "run",
        metrics={"buy": {"auc": np.float32(0.5), "gauc": np.nan}},
        history={"loss": [0.7, 0.6]},
        config={"seed": np.int64(1), "odd": [np.inf, np.arange(2)]},
    )


def snapshot(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_round_trip(small, saved):
    model, encoder = load_model_directory(saved)
    assert encoder.schema == small[1].schema
    inputs = {"item": np.arange(4, dtype="int32")}
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0)["buy"],
        small[0].predict(inputs, verbose=0)["buy"],
        atol=1e-6,
    )
    metrics = json.loads((saved / "metrics.json").read_text())
    assert metrics == {"buy": {"auc": 0.5, "gauc": None}}
    config = json.loads((saved / "config.json").read_text())
    assert config == {"seed": 1, "odd": [None, [0, 1]]}
    with open(saved / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"epoch": "1", "loss": "0.6"}
    assert [p.name for p in saved.parent.iterdir()] == ["run"]


def test_encoder_fitted_on_other_rows_is_refused(small, tmp_path):
    other = make_encoder([3, 5, 9])  # as many ids, one of them another
    assert other.schema == small[0].schema
    with pytest.raises(ValueError, match=other.fingerprint):
        save_model_directory(small[0], other, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    rows = Batches(Table({"item": [3]}), other, 1, labels=False)
    with pytest.raises(ValueError, match=other.fingerprint):
        predict_rows(small[0], rows)


def test_a_second_model_replaces_the_first(small, saved):
    (saved / "logs").mkdir()
    (saved / "logs" / "events").write_text("kept")
    save_model_directory(*small, saved)
    names = {path.name for path in saved.iterdir()}
    # Figures of the first model would be wrong about the second.
    assert names == {
        "model.keras",
        "schema.json",
        "vocabularies.npz",
        "logs",
    }
    assert [p.name for p in saved.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_previous_model(small, saved, monkeypatch, error):
    before = snapshot(saved)

    def fail(*args):
        raise error

    monkeypatch.setattr(module, "write_json", fail)
    with pytest.raises(type(error)):
        save_model_directory(*small, saved, metrics={"a": 1})
    assert snapshot(saved) == before
    assert [p.name for p in saved.parent.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "name", ["model.keras", "schema.json", "vocabularies.npz"]
)
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_model_directory(saved)


def test_no_directory(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_model_directory(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=str(tmp_path)):
        save_model_directory(*small, tmp_path / "file")


def test_directories_around_a_model(small, tmp_path):
    save_model_directory(*small, tmp_path / "runs/seed_0")
    with pytest.raises(FileNotFoundError, match="seed_0"):
        load_model_directory(tmp_path / "runs")
    debris = tmp_path / "runs/.export-1-2"
    debris.mkdir()
    (debris / "model.keras").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"(?s)^(?!.*\.export).*seed_0"):
        load_model_directory(tmp_path / "runs")
    (tmp_path / "resume.npz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="unfinished"):
        load_model_directory(tmp_path)


def test_a_damaged_model_file(saved):
    path = saved / "model.keras"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="model.keras"):
        load_model_directory(saved)


def test_the_schema_of_another_model(saved, tmp_path):
    make_encoder([1, 2, 3, 4, 5]).save(saved)
    with pytest.raises(ValueError, match="'item'.*4.*6"):
        load_model_directory(saved)


def test_weights_of_another_model(saved, tmp_path):
    encoder = make_encoder(list(range(20)))
    other = INFNet(encoder.schema, token_dim=4, num_blocks=1)
    other.save(tmp_path / "other.keras")
    shutil.unpack_archive(saved / "model.keras", tmp_path / "ours", "zip")
    shutil.unpack_archive(tmp_path / "other.keras", tmp_path / "theirs", "zip")
    weights = "model.weights.h5"
    shutil.copy(tmp_path / "theirs" / weights, tmp_path / "ours" / weights)
    packed = shutil.make_archive(tmp_path / "mixed", "zip", tmp_path / "ours")
    shutil.copy(packed, saved / "model.keras")
    with pytest.raises(ValueError, match="model.keras"):
        load_model_directory(saved)


def test_candidates_may_be_named_later(small):
    model, encoder = small
    check_agreement(model, encoder.schema.with_candidates(["item"]))


def test_agreement_of_fields_and_tasks(small):
    model, encoder = small
    config = encoder.schema.to_dict()
    config["tasks"][0]["weight"] = 2.0
    with pytest.raises(ValueError, match="'tasks'"):
        check_agreement(model, Schema.from_dict(config))


def test_agreement_of_a_model_without_schema():
    schema = make_encoder([1]).schema
    x = keras.Input((), dtype="int32", name="itm")
    y = keras.layers.Dense(1)(keras.ops.cast(x, "float32")[:, None])
    model = keras.Model({"itm": x}, {"buy": y})
    with pytest.raises(ValueError, match="item.*itm"):
        check_agreement(model, schema)
    x = keras.Input((), dtype="int32", name="item")
    y = keras.layers.Dense(1)(keras.ops.cast(x, "float32")[:, None])
    with pytest.raises(ValueError, match="buy"):
        check_agreement(keras.Model({"item": x}, {"by": y}), schema)
    with pytest.raises(ValueError, match="outputs"):
        check_agreement(keras.Model({"item": x}, y), schema)
