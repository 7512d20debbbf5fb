"""`LearningCurve` against losses taken batch by batch."""

import keras
import numpy as np
import pandas as pd
import pytest
from click_rows import Interrupt

from keras_infnet.data import Batches, Encoder, Table
from keras_infnet.models import SharedBottom
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.training import LearningCurve, compile_ranker, fit_ranker

SCHEMA = Schema([Categorical("item")], [Task("click"), Task("like")])


def make_batches(rows=118, tasks=2):
    rng = np.random.default_rng(0)
    names = SCHEMA.task_names[:tasks]
    table = Table.from_pandas(
        pd.DataFrame(
            {
                "item": rng.integers(0, 9, rows),
                **{name: rng.integers(0, 2, rows) for name in names},
            }
        )
    )
    schema = Schema(SCHEMA.fields, SCHEMA.tasks[:tasks])
    encoder = Encoder(schema).fit(table)
    return Batches(table, encoder, 16, shuffle=True, seed=3), encoder


def make_model(encoder, rate=1e-12):
    keras.utils.set_random_seed(1)
    model = SharedBottom(
        encoder.schema,
        hidden_dims=(4,),
        tower_dims=(),
        embeddings_initializer=keras.initializers.RandomNormal(stddev=2.0),
    )
    return compile_ranker(
        model, learning_rate=rate, embedding_learning_rate=rate
    )


def crossentropy(model, inputs, labels):
    """Sum over the tasks of the mean over the rows, in NumPy."""
    total = 0.0
    for task, p in model.predict_on_batch(inputs).items():
        p, y = np.asarray(p, "float64")[:, 0], labels[task]
        total -= np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return total


@pytest.mark.parametrize("tasks", [1, 2])
def test_points_are_the_means_of_their_rows(tasks):
    """Nothing is learned, so every batch can be measured afterwards."""
    batches, encoder = make_batches(tasks=tasks)
    model = make_model(encoder)
    curve = LearningCurve(batches, points=3)
    fit_ranker(model, batches, epochs=2, callbacks=[curve], verbose=0)
    # 7 full steps an epoch, a point every 3 of them and at the end.
    assert curve.rows == [48, 96, 112, 166, 214, 230]
    expected = []
    for epoch in range(2):
        batches.epoch = epoch
        read = [batches[i] for i in range(len(batches))]
        for chosen in (read[:3], read[3:6], read[6:7]):
            losses = [crossentropy(model, x, y) for x, y, _ in chosen]
            sizes = [len(x["item"]) for x, *_ in chosen]
            expected.append(np.average(losses, weights=sizes))
    assert curve.loss == pytest.approx(expected, rel=1e-5)
    assert len(set(np.round(expected, 4))) > 3


@pytest.mark.parametrize("stop_at", [(0, 4), (1, 5)])
def test_a_resumed_run_has_the_same_curve(tmp_path, stop_at):
    def run(directory, *more):
        batches, encoder = make_batches()
        curve = LearningCurve(batches, points=3)
        fit_ranker(
            make_model(encoder, 0.01),
            batches,
            epochs=2,
            directory=directory,
            save_every=2,
            callbacks=[curve, *more],
            verbose=0,
        )
        return curve.rows, curve.loss

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Interrupt(*stop_at))
    assert run(tmp_path / "stopped") == whole
    assert whole[1][0] > whole[1][-1]


def test_used_twice_it_starts_again():
    batches, encoder = make_batches()
    curve = LearningCurve(batches, points=1)
    for _ in range(2):
        fit_ranker(make_model(encoder), batches, callbacks=[curve], verbose=0)
        assert curve.rows == [112]


def test_points_must_be_positive():
    with pytest.raises(ValueError, match="points.*0"):
        LearningCurve(make_batches()[0], points=0)
