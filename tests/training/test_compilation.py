"""`compile_ranker`: its numbers, losses and metrics, and saved models."""

import math
import re

import keras
import numpy as np
import pytest
from click_rows import (
    assert_same_weights,
    make_batches,
    make_model,
)
from keras import ops

from keras_infnet.losses import MaskedBinaryCrossentropy
from keras_infnet.optimizers import EmbeddingAdagrad
from keras_infnet.training import WarmUp, compile_ranker, make_optimizer


@pytest.mark.parametrize(
    "arguments",
    [
        {"learning_rate": "x"},
        {"learning_rate": 0.0},
        {"embedding_learning_rate": float("nan")},
        {"weight_decay": -1.0},
        {"weight_decay": float("nan")},
        {"warmup_steps": 2.5},
        {"decay_steps": 0},
        {"ema_momentum": 1.0},
        {"global_clipnorm": 0},
        {"global_clipnorm": "a"},
        {"learning_rate": float("inf")},
    ],
    ids=str,
)
def test_numbers_out_of_range(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*{value!r}"):
        make_optimizer(**arguments)


def test_a_rate_that_rises_and_falls():
    rate = WarmUp(2.0, warmup_steps=4)
    assert [float(rate(s)) for s in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    rate = WarmUp(1.0, warmup_steps=2, decay_steps=4)
    for step, progress in ((2, 0.0), (3, 0.25), (4, 0.5), (6, 1.0), (9, 1.0)):
        expected = 0.5 * (1 + math.cos(math.pi * progress))
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6)
    config = {"learning_rate": 0.5, "warmup_steps": 3, "decay_steps": 7}
    assert WarmUp.from_config(config).get_config() == config
    with pytest.raises(ValueError, match="warmup_steps=-1"):
        WarmUp(0.1, -1)


def test_numbers_in_range():
    optimizer = make_optimizer(
        learning_rate=1, weight_decay=0, decay_steps=5, global_clipnorm=1
    )
    dense, table = optimizer.dense, optimizer.embedding
    assert (dense.weight_decay, optimizer.global_clipnorm) == (0, 1)
    assert type(table) is EmbeddingAdagrad


@pytest.mark.parametrize("single", [True, False])
def test_losses_and_metrics_of_the_user(single):
    """Losses replace those of their tasks; metrics are added."""
    loss = keras.losses.BinaryFocalCrossentropy(
        reduction="mean_with_sample_weight"
    )
    metric = keras.metrics.MeanAbsoluteError(name="mae")
    model = make_model(
        loss=loss if single else {"like": loss},
        loss_weights={"click": 3.0},
        weighted_metrics=[metric] if single else {"like": metric},
    )
    x, y, w = make_batches(96)[0]
    found = model.evaluate(
        x, y, sample_weight=w, batch_size=96, verbose=0, return_dict=True
    )
    predictions = model.predict(x, verbose=0)
    total = 0.0
    for task, weight in (("click", 3.0), ("like", 1.0)):
        rows = w[task] > 0
        labels = y[task].reshape(-1, 1)[rows]
        p = predictions[task][rows]
        theirs = single or task == "like"
        used = loss if theirs else MaskedBinaryCrossentropy()
        total += weight * float(used(labels, p))
        assert f"{task}_auc" in found
        assert (f"{task}_mae" in found) == theirs
        if theirs:
            error = np.abs(labels - p).mean()
            assert found[f"{task}_mae"] == pytest.approx(error, rel=1e-4)
    assert found["loss"] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("argument", ["loss", "loss_weights"])
def test_unknown_tasks(argument):
    with pytest.raises(ValueError, match=f"'clik'.*click.*{argument}="):
        compile_ranker(make_model(), **{argument: {"clik": 1.0}})


@pytest.mark.parametrize(
    "weight", [math.nan, math.inf, -1.0, None, "1"], ids=str
)
def test_loss_weights_are_numbers(weight):
    with pytest.raises(ValueError, match=f"loss_weights.*click.*{weight}"):
        compile_ranker(make_model(), loss_weights={"click": weight})


@pytest.mark.parametrize(
    "arguments",
    [{"loss_weights": 2.0}, {"loss_weights": "x"}, {"loss": ["mse", "mse"]}],
    ids=str,
)
def test_arguments_by_task_are_dicts(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={re.escape(repr(value))}"):
        compile_ranker(make_model(), **arguments)


def test_a_model_saved_as_h5_is_saved_as_keras_afterwards(tmp_path, caplog):
    """Keras takes the optimizer out of what `.keras` files store."""
    model = make_model(learning_rate=0.02)
    x, y, w = make_batches(96)[0]
    model.fit(x, y, sample_weight=w, verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    with caplog.at_level("WARNING", logger="keras_infnet"):
        model.save(tmp_path / "a.h5")
    assert "custom_objects" in caplog.text
    model.save(tmp_path / "a.keras")
    copy = keras.models.load_model(tmp_path / "a.keras")
    assert float(copy.optimizer.learning_rate) == pytest.approx(0.02)
    np.testing.assert_array_equal(
        [ops.convert_to_numpy(v).sum() for v in copy.optimizer.variables],
        [ops.convert_to_numpy(v).sum() for v in model.optimizer.variables],
    )
    for path in ("a.h5", "a.weights.h5"):
        other = make_model(seed=1)
        other.optimizer.build(other.trainable_variables)
        other.load_weights(tmp_path / path)
        assert_same_weights(other, model)
