"""`fit_ranker`: best weights, averaged weights, logs, exact resume."""

import math
import pathlib

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from keras_infnet.data import Batches, Encoder, ListColumn, Table
from keras_infnet.models import INFNet
from keras_infnet.schema import Behavior, Categorical, Schema, Task
from keras_infnet.training import (
    BestWeights,
    MeanAUC,
    Resume,
    compile_ranker,
    fit_ranker,
)

SCHEMA = Schema(
    fields=[Categorical("user"), Categorical("item")],
    behaviors=[Behavior("seen", ["item"], max_length=4)],
    tasks=[Task("click"), Task("like", given="click")],
)


def make_table(rows=96, seed=0):
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 6, rows)
    click = (rng.random(rows) < 0.2 + 0.6 * (item % 2)).astype(float)
    lists = [rng.integers(0, 6, n).tolist() for n in rng.integers(0, 6, rows)]
    return Table(
        {
            "user": rng.integers(0, 9, rows),
            "item": item,
            "seen_item": ListColumn.from_lists(lists),
            "click": click,
            "like": rng.integers(0, 2, rows).astype(float),
        }
    )


@pytest.fixture(scope="module")
def encoder():
    return Encoder(SCHEMA).fit(make_table())


def make_model(encoder, seed=0, **options):
    keras.utils.set_random_seed(seed)
    model = INFNet(
        encoder.schema,
        token_dim=4,
        num_blocks=1,
        num_categorical_tokens=2,
        tower_dims=(4,),
        dropout=0.2,
    )
    return compile_ranker(model, learning_rate=0.01, **options)


def weights(model):
    return [ops.convert_to_numpy(v.value) for v in model.weights]


class Interrupt(keras.callbacks.Callback):
    """Ends the process, as it were, in the middle of an epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, encoder, ema):
    table, held_out = make_table(), make_table(64, seed=1)

    def run(directory, callbacks=()):
        model = make_model(encoder, ema_momentum=ema)
        train = Batches(table, encoder, 32, shuffle=True, seed=3)
        validation = Batches(held_out, encoder, 64)
        fit_ranker(
            model,
            train,
            validation,
            epochs=4,
            directory=directory,
            callbacks=callbacks,
            verbose=0,
        )
        return model

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", [Interrupt(2, 1)])
    assert (tmp_path / "cut" / "resume.npz").exists()
    resumed = run(tmp_path / "cut")
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    history = [
        pd.read_csv(tmp_path / name / "history.csv")
        for name in ("whole", "cut")
    ]
    assert history[1]["epoch"].tolist() == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(*history)
    assert not list(pathlib.Path(tmp_path).rglob("resume.npz*"))


@pytest.mark.parametrize(
    "at", [(1, 5), (0, 3), (0, 4)], ids=["second epoch", "step 3", "step 4"]
)
def test_a_run_resumed_within_an_epoch_equals_an_uninterrupted_one(
    tmp_path, encoder, at
):
    table = make_table()

    def run(directory, callbacks=()):
        model = make_model(encoder, ema_momentum=0.9)
        fit_ranker(
            model,
            Batches(table, encoder, 16, shuffle=True, seed=3),
            Batches(make_table(64, seed=1), encoder, 64),
            epochs=2,
            directory=directory,
            callbacks=callbacks,
            save_every=2,
            verbose=0,
        )
        return model

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", [Interrupt(*at)])
    with np.load(tmp_path / "cut" / "resume.npz") as state:
        # Interrupted before the callback that saves was asked.
        assert int(state["epochs"]) == at[0]
        assert int(state["steps"]) == at[1] // 2 * 2
    resumed = run(tmp_path / "cut")
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    histories = [
        pd.read_csv(tmp_path / name / "history.csv")
        for name in ("whole", "cut")
    ]
    pd.testing.assert_frame_equal(*histories)


def test_states_within_an_epoch_need_a_directory(encoder):
    with pytest.raises(ValueError, match="save_every needs a directory"):
        fit_ranker(
            make_model(encoder),
            Batches(make_table(), encoder, 32),
            save_every=2,
        )


def test_state_of_another_training_is_refused(tmp_path, encoder):
    table = make_table()

    def fit(model, rows=table, fitted=encoder, size=32, callbacks=()):
        fit_ranker(
            model,
            Batches(rows, fitted, size),
            epochs=2,
            directory=tmp_path,
            callbacks=callbacks,
            verbose=0,
        )

    with pytest.raises(KeyboardInterrupt):
        fit(make_model(encoder), callbacks=[Interrupt(1, 0)])
    other = compile_ranker(INFNet(encoder.schema, token_dim=8, num_blocks=1))
    with pytest.raises(ValueError, match="another model and optimizer"):
        fit(other)
    rate = make_model(encoder)
    compile_ranker(rate, learning_rate=0.5)
    with pytest.raises(ValueError, match="another optimizer"):
        fit(rate)
    with pytest.raises(ValueError, match="another order of rows"):
        fit(make_model(encoder), size=16)
    # As many ids as before, which mean something else.
    moved = table.with_columns({"item": table["item"] + 50})
    with pytest.raises(ValueError, match="another encoder"):
        fit(make_model(encoder), moved, Encoder(SCHEMA).fit(moved))
    (tmp_path / "resume.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match="Delete it to train"):
        fit(make_model(encoder))


@pytest.mark.parametrize("ema", [None, 0.9])
def test_best_weights_are_those_that_were_validated(encoder, ema):
    model = make_model(encoder, ema_momentum=ema)
    validation = Batches(make_table(64, seed=1), encoder, 64)
    history = fit_ranker(
        model,
        Batches(make_table(), encoder, 16, shuffle=True),
        validation,
        epochs=4,
        verbose=0,
    ).history
    best = int(np.argmax(history["val_mean_auc"]))
    again = model.evaluate(
        validation.to_tf_data()
        if keras.backend.backend() == "tensorflow"
        else validation,
        return_dict=True,
        verbose=0,
    )
    for name in ("click_auc", "like_auc", "click_log_loss"):
        assert again[name] == pytest.approx(
            history[f"val_{name}"][best], abs=1e-5
        )


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_model_is_trained_on(encoder, ema):
    model = make_model(encoder, ema_momentum=ema)
    batches = Batches(make_table(), encoder, 32)
    fit_ranker(model, batches, verbose=0)
    before = weights(model)
    fit_ranker(model, batches, verbose=0)
    assert all(
        np.abs(old - new).max() > 0
        for old, new in zip(before, weights(model), strict=True)
    )


def test_training_stops_without_progress(encoder):
    callback = BestWeights(patience=2)
    callback.set_model(make_model(encoder))
    for epoch, value in enumerate([0.6, 0.7, math.nan, 0.69]):
        assert not callback.model.stop_training
        callback.on_test_end()
        callback.on_epoch_end(epoch, {"val_mean_auc": value})
    assert not callback.model.stop_training  # NaN did not count
    callback.on_epoch_end(4, {"val_mean_auc": 0.68})
    assert callback.best == 0.7
    assert callback.best_epoch == 1
    assert callback.model.stop_training


def test_a_task_without_positives_leaves_training_running(encoder):
    table = make_table(64, seed=2)
    flat = table.with_columns({"like": np.zeros(64)})
    history = fit_ranker(
        make_model(encoder),
        Batches(make_table(), encoder, 32),
        Batches(flat, encoder, 64),
        epochs=2,
        verbose=0,
    ).history
    assert np.isnan(history["val_like_auc"]).all()
    np.testing.assert_allclose(
        history["val_mean_auc"], history["val_click_auc"]
    )


def test_mean_auc_of_one_task():
    schema = Schema([Categorical("item")], [Task("click")])
    logs = {"auc": 0.6, "val_auc": 0.7}
    MeanAUC(schema).on_epoch_end(0, logs)
    assert (logs["mean_auc"], logs["val_mean_auc"]) == (0.6, 0.7)


@pytest.mark.parametrize("number", [{"epochs": 0}, {"patience": 0}], ids=str)
def test_numbers_of_fit_are_positive(encoder, number):
    batches = Batches(make_table(), encoder, 32)
    with pytest.raises(ValueError, match="must be a positive integer"):
        fit_ranker(make_model(encoder), batches, **number)


def test_batches_of_another_encoder(encoder):
    fewer = make_table().slice(0, 5)
    other = Encoder(encoder.schema).fit(fewer)
    with pytest.raises(ValueError, match="not that of the encoder"):
        fit_ranker(make_model(encoder), Batches(fewer, other, 32))


def test_tensorboard_needs_a_directory(encoder):
    with pytest.raises(ValueError, match="directory"):
        fit_ranker(
            make_model(encoder),
            Batches(make_table(), encoder, 32),
            tensorboard=True,
            verbose=0,
        )


def test_resume_writes_in_one_step(tmp_path, encoder, monkeypatch):
    model = make_model(encoder)
    model.optimizer.build(model.trainable_variables)
    callback = Resume(tmp_path / "resume.npz")
    callback.set_model(model)
    callback.on_epoch_end(0)
    before = (tmp_path / "resume.npz").read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full_disk)
    with pytest.raises(OSError, match="No space"):
        callback.on_epoch_end(1)
    assert (tmp_path / "resume.npz").read_bytes() == before


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_learns(encoder, policy):
    keras.utils.set_random_seed(0)
    model = INFNet(
        encoder.schema,
        token_dim=4,
        num_blocks=1,
        num_categorical_tokens=2,
        tower_dims=(4,),
        dtype=policy,
    )
    compile_ranker(model, learning_rate=0.01, ema_momentum=0.5)
    dense = model.optimizer.dense
    scaled = isinstance(dense, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    history = fit_ranker(
        model, Batches(make_table(), encoder, 32), epochs=4, verbose=0
    ).history
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Keras writes TensorBoard logs with TensorFlow",
)
def test_tensorboard_logs(tmp_path, encoder):
    fit_ranker(
        make_model(encoder),
        Batches(make_table(), encoder, 32),
        directory=tmp_path,
        tensorboard=True,
        verbose=0,
    )
    assert list((tmp_path / "tensorboard").rglob("events.*"))
