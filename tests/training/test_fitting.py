"""`fit_ranker`: best weights, averages, checkpoints, logs, exact resume."""

import math

import keras
import numpy as np
import pandas as pd
import pytest
from click_rows import (
    ENCODER,
    SCHEMA,
    Interrupt,
    assert_same_weights,
    make_batches,
    make_model,
    make_table,
    make_validation,
    weights,
)

from keras_infnet.data import Batches, Encoder
from keras_infnet.models import SharedBottom
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.training import (
    AveragedWeights,
    BestWeights,
    MeanAUC,
    Resume,
    compile_ranker,
    fit_ranker,
)


def fit(model, *callbacks, batches=None, **options):
    options = {"validation": make_validation(), "verbose": 0, **options}
    batches = batches or make_batches(16, shuffle=True, seed=3)
    return fit_ranker(model, batches, callbacks=callbacks, **options).history


def evaluate(model):
    rows = make_validation()
    if keras.backend.backend() == "tensorflow":
        rows = rows.to_tf_data()
    return model.evaluate(rows, return_dict=True, verbose=0)


def checkpoint(folder):
    return keras.callbacks.ModelCheckpoint(
        folder / "{epoch}.keras", monitor="val_mean_auc", mode="max"
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run with averages, its history and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    model = make_model(ema_momentum=0.8)
    history = fit(model, checkpoint(folder), epochs=3, directory=folder)
    return model, history, folder


def test_a_run_resumed_again_and_again_equals_an_uninterrupted_one(
    whole, tmp_path
):
    def run(*callbacks, save_every=2):
        model = make_model(ema_momentum=0.8)
        # Without the checkpoints of the other run, which change nothing.
        options = {"directory": tmp_path, "save_every": save_every}
        fit(model, *callbacks, epochs=3, **options)
        return model

    # Interrupted before the callback that saves was asked.
    for at, saved in (((0, 3), (0, 2)), ((0, 4), (0, 4)), ((1, 5), (1, 4))):
        with pytest.raises(KeyboardInterrupt):
            run(Interrupt(*at))
        with np.load(tmp_path / "resume.npz") as state:
            assert (int(state["epochs"]), int(state["steps"])) == saved
    # A state of the end of an epoch.
    with pytest.raises(KeyboardInterrupt):
        run(Interrupt(2, 1), save_every=None)
    with np.load(tmp_path / "resume.npz") as state:
        assert (int(state["epochs"]), int(state["steps"])) == (2, 0)
    (tmp_path / "resume.npz.1.tmp").write_text("of a process that was killed")
    assert_same_weights(run(), whole[0])
    histories = [
        pd.read_csv(folder / "history.csv") for folder in (tmp_path, whole[2])
    ]
    assert histories[0]["epoch"].tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(*histories)
    assert not list(tmp_path.glob("resume.npz*"))


def test_checkpoints_are_the_weights_that_were_scored(whole):
    model, history, folder = whole
    for epoch in range(3):
        stored = keras.models.load_model(folder / f"{epoch + 1}.keras")
        found = evaluate(stored)
        for name in ("click_auc", "like_auc", "loss"):
            expected = history[f"val_{name}"][epoch]
            assert found[name] == pytest.approx(expected, abs=1e-5)
    assert len(set(history["val_loss"])) == 3
    best = int(np.argmax(history["val_mean_auc"]))
    found = evaluate(model)
    for name in ("click_auc", "like_auc", "click_log_loss"):
        expected = history[f"val_{name}"][best]
        assert found[name] == pytest.approx(expected, abs=1e-5)
    # Checkpoints hold the optimizer, too: `fit` goes on from both.
    before = weights(stored)
    fit(stored, epochs=1, validation=None)
    for old, new in zip(before, weights(stored), strict=True):
        assert np.abs(old - new).max() > 0


@pytest.mark.parametrize("embedding", [None, "dense"])
def test_averages_are_not_left_in_place(embedding):
    """Neither by an error in a callback nor by an evaluation alone."""

    class Fail(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            trained.append(weights(self.model))

        def on_epoch_end(self, epoch, logs=None):
            scored.append(weights(self.model))
            raise ZeroDivisionError

    trained, scored = [], []
    model = make_model(ema_momentum=0.8)
    if embedding == "dense":
        model.compile(
            keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8),
            loss=dict.fromkeys(SCHEMA.task_names, "binary_crossentropy"),
            weighted_metrics=dict.fromkeys(SCHEMA.task_names, ["auc"]),
            embedding_optimizer="dense",
        )
    with pytest.raises(ZeroDivisionError):
        fit(model, Fail(), batches=make_batches())
    for now, last in zip(weights(model), trained[0], strict=True):
        np.testing.assert_allclose(now, last, atol=1e-7)
    table, averages = trained[0][0], scored[0][0]
    assert np.abs(averages - table).max() > 1e-4
    x, y, w = make_validation()[0]
    model.evaluate(
        x, y, sample_weight=w, callbacks=[AveragedWeights()], verbose=0
    )
    for now, last in zip(weights(model), trained[0], strict=True):
        np.testing.assert_allclose(now, last, atol=1e-7)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.callbacks.LearningRateScheduler(
            lambda epoch, rate: 0.0 if epoch == 1 else 0.01 * 0.5**epoch
        ),
        lambda: keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, min_delta=1e3
        ),
    ],
    ids=["scheduler", "plateau"],
)
def test_callbacks_set_both_rates_in_proportion(make):
    class Rates(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.before = weights(self.model)

        def on_epoch_end(self, epoch, logs=None):
            optimizer = self.model.optimizer
            rates = optimizer.learning_rate, optimizer.embedding.learning_rate
            seen.append([float(rate) for rate in rates])
            moved = [
                np.abs(new - old).max()
                for new, old in zip(
                    weights(self.model), self.before, strict=True
                )
            ]
            still.append(max(moved) == 0.0)

    seen, still = [], []
    model = make_model(embedding_learning_rate=0.04, weight_decay=0.0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    history = fit(
        model,
        make(),
        Rates(),
        epochs=3,
        batches=make_batches(),
        validation=None,
    )
    dense = [0.01, 0.005, 0.0025]
    if isinstance(make(), keras.callbacks.LearningRateScheduler):
        dense[1] = 0.0  # then nothing moves, and the proportion returns
        assert still == [False, True, False]
    np.testing.assert_allclose(seen, [(r, 4 * r) for r in dense], rtol=1e-5)
    assert len(history["learning_rate"]) == 3


def test_a_rate_of_a_schedule_is_not_set():
    model = make_model(warmup_steps=2)
    callback = keras.callbacks.ReduceLROnPlateau("loss")
    with pytest.raises(ValueError, match="ReduceLROnPlateau.*warmup_steps"):
        fit(model, callback)
    with pytest.raises(TypeError, match="learning_rate=0.5.*warmup_steps"):
        model.optimizer.learning_rate = 0.5


def test_states_of_other_trainings_are_refused(tmp_path):
    def run(model, rows=None, encoder=ENCODER, size=32, *callbacks):
        batches = Batches(rows or make_table(), encoder, size)
        options = {"batches": batches, "validation": None, "epochs": 2}
        fit(model, *callbacks, directory=tmp_path, **options)

    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        Interrupt(1, 0),
    ]
    with pytest.raises(KeyboardInterrupt):
        run(make_model(), None, ENCODER, 32, *callbacks)
    other = SharedBottom(ENCODER.schema, embedding_dim=2, hidden_dims=(4,))
    with pytest.raises(ValueError, match="another model and optimizer"):
        run(compile_ranker(other))
    with pytest.raises(ValueError, match="another optimizer"):
        run(make_model(learning_rate=0.5))
    with pytest.raises(ValueError, match="another order of rows"):
        run(make_model(), size=16)
    # As many ids as before, which mean something else.
    moved = make_table().with_columns({"item": make_table()["item"] + 50})
    with pytest.raises(ValueError, match="encoder"):
        run(make_model(), moved, Encoder(SCHEMA).fit(moved))
    run(make_model())  # the rate is the one of the state
    (tmp_path / "resume.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match="resume.npz cannot be read"):
        run(make_model())


def test_training_stops_without_progress():
    callback = BestWeights(patience=2)
    callback.set_model(make_model())
    for epoch, value in enumerate([0.6, 0.7, math.nan, 0.69]):
        assert not callback.model.stop_training
        callback.on_test_end()
        callback.on_epoch_end(epoch, {"val_mean_auc": value})
    assert not callback.model.stop_training  # NaN did not count
    callback.on_epoch_end(4, {"val_mean_auc": 0.68})
    assert callback.best == 0.7
    assert callback.best_epoch == 1
    assert callback.model.stop_training


def test_only_a_validation_can_be_undefined(caplog):
    callback = BestWeights()
    callback.set_model(make_model())
    callback.on_epoch_end(0, {"loss": 1.0})
    assert not caplog.messages
    callback.on_test_end()
    callback.on_epoch_end(1, {"val_mean_auc": math.nan})
    assert "val_mean_auc" in caplog.text


def test_mean_auc_of_one_task_or_without_positives():
    schema = Schema([Categorical("item")], [Task("click")])
    logs = {"auc": 0.6, "val_auc": 0.7}
    MeanAUC(schema).on_epoch_end(0, logs)
    assert (logs["mean_auc"], logs["val_mean_auc"]) == (0.6, 0.7)
    flat = make_table(64, seed=2).with_columns({"like": np.zeros(64)})
    history = fit(make_model(), validation=Batches(flat, ENCODER, 64))
    assert np.isnan(history["val_like_auc"]).all()
    np.testing.assert_allclose(
        history["val_mean_auc"], history["val_click_auc"]
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"epochs": 0}, "epochs=0"),
        ({"patience": 0}, "patience=0"),
        ({"save_every": 2}, "save_every needs a directory"),
        ({"tensorboard": True}, "tensorboard=True needs a directory"),
    ],
    ids=str,
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fit(make_model(), **options)


def test_batches_of_another_encoder():
    fewer = make_table().slice(0, 5)
    other = Batches(fewer, Encoder(ENCODER.schema).fit(fewer), 32)
    with pytest.raises(ValueError, match="not that of the encoder"):
        fit(make_model(), batches=other)


def test_resume_writes_in_one_step(tmp_path, monkeypatch):
    model = make_model()
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
def test_half_precision_learns(policy):
    model = make_model(dtype=policy, ema_momentum=0.5)
    dense = model.optimizer.dense
    scaled = isinstance(dense, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    history = fit(model, batches=make_batches(), epochs=6, validation=None)
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]
    model.optimizer.learning_rate = 0.002
    rates = [dense.learning_rate, model.optimizer.embedding.learning_rate]
    np.testing.assert_allclose([float(r) for r in rates], [0.002, 0.01])


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Keras writes TensorBoard logs with TensorFlow",
)
def test_tensorboard_logs(tmp_path):
    fit(make_model(), directory=tmp_path, tensorboard=True)
    assert list((tmp_path / "tensorboard").rglob("events.*"))
