"""From a model to a version folder that answers as the model does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from other_processes import environment_of
from serving_examples import expect, make_table, predict

from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.serving import Servable, export, load_model_directory
from keras_infnet.serving.exporting import file_formats

export_module = sys.modules["keras_infnet.serving.exporting.export"]


@pytest.mark.serving
class TestExported:
    def test_is_the_first_version_with_all_files(self, exported):
        assert exported.name == "1"
        assert [p.name for p in exported.parent.iterdir()] == ["1"]
        names = {path.name for path in exported.iterdir()}
        assert names >= {
            "saved_model.pb",
            "model.keras",
            "schema.json",
            "vocabularies.npz",
            "metrics.json",
            "parity.json",
            "README.md",
        }

    def test_parity(self, exported):
        parity = json.loads((exported / "parity.json").read_text())
        assert len(parity["cases"]) == 34
        outputs = {
            name: sorted(worst)
            for name, worst in parity["largest_difference"].items()
        }
        tasks = ["click", "like", "stay"]
        assert outputs == {
            "serving_default": tasks,
            "serve_raw": tasks,
            "serve_examples": ["classes", "scores"],
            "rank": ["click", "like", "score", "stay"],
            "rank_top_k": ["click", "like", "score", "stay"],
        }
        for worst in parity["largest_difference"].values():
            assert max(worst.values()) <= 1e-5

    def test_predicts_raw_rows(self, exported, model, encoder, table):
        expected = predict(model, encoder, table)
        servable = Servable.load(exported.parent)
        found = servable.predict_raw(table, batch_size=77)
        assert all(array.dtype == np.float32 for array in found.values())
        expect(found, expected, spread=0.3)
        expect(servable.predict_raw(table.to_pandas()), found, 1e-6)

    def test_predicts_a_row_without_optional_columns(self, exported, table):
        servable = Servable.load(exported)
        names = ["item", "city", "user", "query"]
        found = servable.predict_raw(table.select(names).slice(0, 1))
        assert found["click"].shape == (1, 1)
        none = servable.predict_raw(table.slice(0, 0))
        assert none["like"].shape == (0, 1)
        with pytest.raises(ValueError, match="'city'"):
            servable.predict_raw(table.without("city"))

    def test_is_a_model_directory(self, exported, model, encoder, table):
        loaded, loaded_encoder = load_model_directory(exported)
        rows = table.slice(0, 5)
        found = predict(loaded, loaded_encoder, rows)
        expect(found, predict(model, encoder, rows), 1e-6)

    def test_card_shows_requests_that_work(self, exported):
        import tensorflow as tf

        card = (exported / "README.md").read_text("utf-8")
        assert card.startswith("# news\n\nRanks it's news.")
        assert "| click.auc | 0.75 |" in card
        assert "`1.0 * click + 1.0 * like + 1.0 * stay`" in card
        signatures = tf.saved_model.load(str(exported)).signatures

        def answer(body, inputs):
            function = signatures[body["signature_name"]]
            _, specs = function.structured_input_signature
            assert sorted(inputs) == sorted(specs)
            return function(
                **{n: tf.constant(v, specs[n].dtype) for n, v in inputs.items()}
            )

        rows, ranking = [
            json.loads(part.partition("'\n```")[0].replace("'\\''", "'"))
            for part in card.split("predict -d '")[1:]
        ]
        (row,) = rows["instances"]
        outputs = answer(rows, {name: [value] for name, value in row.items()})
        assert outputs["click"].shape == (1, 1)
        score = answer(ranking, ranking["inputs"])["score"].numpy()
        assert score.shape == (2,) and score[0] == score[1]

    @pytest.mark.long
    def test_weights_that_differ_are_refused(
        self, model, encoder, tmp_path, monkeypatch
    ):
        other = keras.models.clone_model(model)
        other.set_weights([weight + 0.01 for weight in model.get_weights()])
        monkeypatch.setattr(model, "save", other.save)
        with pytest.raises(ValueError, match="'click'") as caught:
            export(model, encoder, tmp_path / "news")
        assert "task 'click', signature 'serve_raw'" in str(caught.value)
        assert not list(tmp_path.iterdir())


@pytest.mark.serving
def test_schema_in_place_of_an_encoder(exported_ids, table):
    assert not (exported_ids / "vocabularies.npz").exists()
    parity = json.loads((exported_ids / "parity.json").read_text())
    assert list(parity["largest_difference"]) == [
        "serving_default",
        "rank",
        "rank_top_k",
    ]
    with pytest.raises(ValueError, match="encoded ids"):
        Servable.load(exported_ids).predict_raw(table)
    with pytest.raises(ValueError, match="encoded ids"):
        Servable.load(exported_ids).rank(table.slice(0, 1), table)


TRAINED_ELSEWHERE = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from serving_examples import make_schema, make_table, predict
from keras_infnet.data import Encoder
from keras_infnet.models import INFNet
from keras_infnet.serving import export
table = make_table(60)
encoder = Encoder(make_schema()).fit(table)
model = INFNet(encoder.schema, variant={variant!r}, token_dim=8, num_blocks=1)
path = export(model, encoder, {path!r}, warmup_rows=())
np.savez({path!r} + "/expected.npz", **predict(model, encoder, table))
"""


@pytest.mark.serving
@pytest.mark.parametrize(
    ("backend", "variant"),
    [
        ("jax", "hub"),
        pytest.param("tensorflow", "hub", marks=pytest.mark.long),
        pytest.param("torch", "hub", marks=pytest.mark.long),
        *(
            pytest.param(backend, "proxy", marks=pytest.mark.long)
            for backend in ("tensorflow", "jax", "torch")
        ),
    ],
)
def test_infnet_from_every_backend(backend, variant, table, tmp_path):
    path = tmp_path / "news"
    code = TRAINED_ELSEWHERE.format(
        folder=os.path.dirname(__file__), path=str(path), variant=variant
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment_of(backend),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    # What TensorFlow prints in the other processes stays there.
    assert not result.stdout.strip()
    found = Servable.load(path).predict_raw(make_table(60))
    with np.load(path / "expected.npz") as expected:
        expect(found, dict(expected))


# ------------------------------------------------------ failures, no TensorFlow


@pytest.fixture
def quick(monkeypatch):
    """Exports without building: the checks around it alone."""

    @contextlib.contextmanager
    def nothing(folder, warmup_rows):
        yield

    monkeypatch.setattr(export_module, "building", nothing)
    monkeypatch.setattr(export_module, "check_signatures", lambda *_: None)

    def answer(error=None, shift=0.0):
        def run_isolated(folder, cases):
            if error is not None:
                raise error
            return {}, [
                {
                    name: y + np.float32(shift) if y.dtype.kind == "f" else y
                    for name, y in c.expected.items()
                }
                for c in cases
            ]

        monkeypatch.setattr(export_module, "run_isolated", run_isolated)

    answer()
    return answer


def test_differences_beyond_the_tolerance(quick, model, encoder, tmp_path):
    quick(shift=1e-3)
    with pytest.raises(ValueError, match="1e-05") as caught:
        export(model, encoder, tmp_path / "news", candidates=[])
    assert "task 'stay', signature 'serving_default'" in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert export(
        model, encoder, tmp_path / "news", candidates=[], tolerance=0.01
    )


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), "1"])
def test_tolerances_that_are_none(quick, model, encoder, tmp_path, wrong):
    with pytest.raises(ValueError, match="`tolerance`"):
        export(model, encoder, tmp_path / "news", tolerance=wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "full")])
def test_failures_leave_earlier_versions(
    quick, model, encoder, tmp_path, error, caplog
):
    first = export(model, encoder, tmp_path / "news", candidates=[])
    # Nothing was built, as without the package for warm-up requests.
    assert "[client]" in caplog.text
    before = sorted((p.name, p.stat().st_mtime) for p in first.iterdir())
    quick(error=error)
    with pytest.raises(type(error)):
        export(model, encoder, tmp_path / "news", candidates=[])
    assert [p.name for p in (tmp_path / "news").iterdir()] == ["1"]
    after = sorted((p.name, p.stat().st_mtime) for p in first.iterdir())
    assert after == before
    quick()
    assert export(model, encoder, tmp_path / "news", candidates=[]).name == "2"


def test_model_and_encoder_must_agree(model, encoder, tmp_path):
    schema = Schema([Categorical("item", hash_buckets=3)], [Task("click")])
    with pytest.raises(ValueError, match="seen_item"):
        export(model, schema, tmp_path / "news")
    assert not list(tmp_path.iterdir())


def test_without_tensorflow(model, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        file_formats.importlib.util, "find_spec", lambda name: None
    )
    with pytest.raises(ImportError, match=r"\[tensorflow\]"):
        export(model, encoder, tmp_path / "news")
    assert not list(tmp_path.iterdir())


INTERRUPTED = """
import signal, sys
# A test run in the background of a shell passes on that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {folder!r})
from serving_examples import make_model, make_schema, make_table
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.serving import export
encoder = Encoder(make_schema()).fit(make_table(60))
export(make_model(encoder.schema), encoder, {path!r})
"""


@pytest.mark.serving
@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_a_real_interrupt(tmp_path):
    code = INTERRUPTED.format(
        folder=os.path.dirname(__file__), path=str(tmp_path / "news")
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("news/.export-*/schema.json")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    finally:
        process.kill()
    assert not list(tmp_path.iterdir())
