"""Warm-up requests and settings, read by the formats' own messages."""

import json
import re
import sys

import numpy as np
import pytest
from serving_examples import check_warmup, raw_inputs
from tiny_served import NAME, ROWS, make_schema, save

from keras_infnet.cli import main
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.serving.exporting.run_export import WARMUP_FILE
from keras_infnet.serving.exporting.server_files import (
    label_versions,
    models_config,
    set_labels,
    write_model_files,
)
from keras_infnet.serving.exporting.warmup_requests import (
    check_warmup_rows,
    example_requests,
    write_warmup,
)

TABLE = Table({n: [row[n] for row in ROWS] for n in ROWS[0]})


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / NAME / "1"
    save(folder, 1)
    return folder


@pytest.fixture
def encoder():
    labels = {"click": [0, 1, 0], "like": [1, 0, 0]}
    return Encoder(make_schema()).fit(TABLE.with_columns(labels))


def ranking():
    """A request of one row of what is shared, and three candidates."""
    schema = make_schema()
    inputs = raw_inputs(TABLE, schema)
    return {
        name: array if name in schema.candidates else array[:1]
        for name, array in inputs.items()
    }


# ------------------------------------------------------------------ warm-up


@pytest.mark.serving
class TestWarmup:
    @pytest.fixture(autouse=True)
    def _stubs(self):
        pytest.importorskip("tensorflow_serving")

    def test_every_record_is_a_request_that_works(self, version, encoder):
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        ranks = {"rank_top_k": {**ranking(), "k": np.int32(2)}}
        requests = {**example_requests(encoder), **ranks}
        path = write_warmup(version, NAME, requests, (1, 5))
        assert path == version / "assets.extra" / "tf_serving_warmup_requests"
        assert [p.name for p in path.parent.iterdir()] == [path.name]
        found = []
        loaded = tf.saved_model.load(str(version))
        for record in tf.data.TFRecordDataset(str(path)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            assert log.WhichOneof("log_type") == "predict_log"
            request = log.predict_log.request
            assert request.model_spec.name == NAME
            name = request.model_spec.signature_name
            inputs = {
                key: tf.constant(tf.make_ndarray(tensor))
                for key, tensor in request.inputs.items()
            }
            outputs = loaded.signatures[name](**inputs)
            found.append((name, len(next(iter(outputs.values())))))
            if name.startswith("rank"):
                assert len(inputs["user"]) == len(inputs["seen_item"]) == 1
            elif name != "serve_examples":
                assert len({len(array) for array in inputs.values()}) == 1
        assert found == [
            ("serving_default", 1),
            ("serving_default", 5),
            ("serve_raw", 1),
            ("serve_raw", 5),
            ("serve_examples", 1),
            ("serve_examples", 5),
            ("rank", 1),
            ("rank", 5),
            ("rank_top_k", 1),
            ("rank_top_k", 2),
        ]
        assert check_warmup(version) == 10

    def test_encoded_ids_alone(self, version, encoder):
        schema = encoder.schema.with_candidates(())
        assert write_warmup(version, NAME, example_requests(schema))
        assert check_warmup(version) == 2
        # Here a signature takes raw values that would take ids.
        write_warmup(version, NAME, example_requests(encoder.schema))
        with pytest.raises(ValueError, match="record 2 .*'rank', fails"):
            check_warmup(version)

    def test_a_request_that_fails_is_found(self, version):
        good = raw_inputs(TABLE, make_schema())
        bad = {**good, "user": np.zeros((3, 1), np.int64)}
        write_warmup(version, NAME, {"serve_raw": good, "rank": good}, (1, 3))
        with pytest.raises(ValueError, match="(?s)record 3 .*'rank'.*one"):
            check_warmup(version)
        write_warmup(version, NAME, {"serve_raw": bad}, (1,))
        with pytest.raises(ValueError, match="record 0 .*'serve_raw', fails"):
            check_warmup(version)
        write_warmup(version, NAME, {"serve": good}, (1,))
        with pytest.raises(ValueError, match="record 0 .*'serve', fails"):
            check_warmup(version)
        typed = {**good, "user": good["user"].astype(np.float32)}
        write_warmup(version, NAME, {"serve_raw": typed}, (1,))
        with pytest.raises(ValueError, match="'user'.*DT_FLOAT"):
            check_warmup(version)
        (version / WARMUP_FILE).unlink()
        assert check_warmup(version) == 0


def test_without_the_stubs_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    requests = {"serve_raw": ranking()}
    assert write_warmup(tmp_path, NAME, requests) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [(0,), (1.5,), (True,), range(1, 202)])
def test_sizes_that_a_server_refuses(rows):
    with pytest.raises(ValueError, match="`warmup_rows`.*(range|0,|1.5|True)"):
        check_warmup_rows(rows)


# ----------------------------------------------------------------- settings


@pytest.fixture
def root(tmp_path):
    """Folders of two models; a server takes any other for none."""
    for name in ("news/1", "news/2", "news/3", "films/7", "empty", ".tmp/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "README.md").write_text("notes")
    return tmp_path


def parsed(text):
    pytest.importorskip("tensorflow_serving")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        text, model_server_config_pb2.ModelServerConfig()
    )
    return {c.name: c for c in config.model_config_list.config}


def news_of(root):
    return parsed((root / "models.config").read_text("utf-8"))["news"]


def described(config):
    policy = config.model_version_policy
    return list(policy.specific.versions), dict(config.version_labels)


def test_without_labels_the_newest_is_served(root):
    configs = parsed(models_config(root, base="/served/"))
    assert list(configs) == ["films", "news"]
    assert configs["news"].base_path == "/served/news"
    assert configs["news"].model_platform == "tensorflow"
    assert not configs["news"].HasField("model_version_policy")


def test_names_are_quoted(root):
    (root / 'a "b" ü' / "1").mkdir(parents=True)
    assert 'a "b" ü' in parsed(models_config(root))


def test_labels(root):
    label_versions(root / "news", {"stable": 1, "canary": 2})
    label_versions(root / "films", {"stable": 7})
    config = root / "models.config"
    configs = parsed(config.read_text("utf-8"))
    assert described(configs["news"]) == ([1, 2], {"stable": 1, "canary": 2})
    assert described(configs["films"]) == ([7], {"stable": 7})
    # What a label leaves is served until the next change: both are loaded.
    label_versions(root / "news", {"stable": 2})
    assert described(news_of(root)) == ([1, 2], {"stable": 2})
    label_versions(root / "news", {"stable": 2})
    assert described(news_of(root)) == ([1, 2], {"stable": 2})
    label_versions(root / "news", {"stable": 2, "canary": 3})
    assert described(news_of(root)) == ([2, 3], {"stable": 2, "canary": 3})
    assert described(parsed(config.read_text("utf-8"))["films"])[0] == [7]
    label_versions(root / "news", {})
    assert described(news_of(root)) == ([], {})
    assert not news_of(root).HasField("model_version_policy")


def test_versions_that_are_not_there(root):
    label_versions(root / "news", {"stable": 1, "canary": 3})
    before = (root / "models.config").read_bytes()
    for labels, message in (
        ({"stable": 1, "canary": 4}, "no version 4.*'canary'.*1, 2, 3"),
        ({"stable": -1}, "no version -1"),
        ({"": 1}, "version 1 .*''"),
    ):
        with pytest.raises(ValueError, match=message):
            label_versions(root / "news", labels)
    with pytest.raises(ValueError, match="empty|absent"):
        label_versions(root / "empty", {"stable": 1})
    with pytest.raises(ValueError, match="empty|absent"):
        models_config(root / "empty")
    with pytest.raises(ValueError, match="empty|absent"):
        models_config(root / "absent")
    assert (root / "models.config").read_bytes() == before
    (root / "news" / "3").rmdir()
    with pytest.raises(ValueError, match="version 3"):
        models_config(root)
    (root / "news" / "labels.json").write_text("[]")
    with pytest.raises(ValueError, match="labels.json"):
        set_labels(root / "news", {"stable": 1})


def test_files_of_yours_are_left_alone(root):
    written = [path.name for path in write_model_files(root)]
    assert written == [
        "models.config",
        "batching_parameters.txt",
        "monitoring.config",
    ]
    (root / "batching_parameters.txt").write_text("mine")
    assert [path.name for path in write_model_files(root)] == ["models.config"]
    assert (root / "batching_parameters.txt").read_text() == "mine"


def test_settings_that_are_in_no_package(root):
    # The messages of these files are not in `tensorflow-serving-api`: fields
    # of session_bundle_config.proto and monitoring_config.proto.
    write_model_files(root)
    found = (root / "batching_parameters.txt").read_text("utf-8")
    assert re.findall(r"^(\w+) \{ value: \d+ \}", found, re.M) == [
        "max_batch_size",
        "batch_timeout_micros",
        "num_batch_threads",
        "max_enqueued_batches",
    ]
    text = (root / "monitoring.config").read_text("utf-8")
    assert re.search(r"^prometheus_config \{\n  enable: true\n", text, re.M)
    assert re.search(r'^  path: "[\w/]+/metrics"\n\}\n', text, re.M)


def test_the_command(root, capsys):
    command = ["serving-config", "--model", str(root / "news")]
    assert main([*command, "--stable", "1", "--canary", "3"]) == 0
    printed = capsys.readouterr().out
    assert "models.config" in printed
    assert "stable: version 1" in printed and "canary: version 3" in printed
    assert described(news_of(root)) == ([1, 3], {"stable": 1, "canary": 3})
    assert main([*command, "--stable", "3", "--base", "/srv"]) == 0
    assert "until the labels change again: 1" in capsys.readouterr().out
    news = news_of(root)
    assert news.base_path == "/srv/news"
    state = json.loads((root / "news" / "labels.json").read_text())
    assert state == {"labels": {"stable": 3}, "versions": [1, 3]}
    assert main([*command, "--stable", "8"]) == 2
    assert "no version 8" in capsys.readouterr().err
    assert main(command) == 0
    assert "newest version is served" in capsys.readouterr().out
