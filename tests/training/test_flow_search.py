"""`FlowSearch`, its optimizer and its report."""

import keras
import numpy as np
import pandas as pd
import pytest
from scenario_rows import SCHEMA, assert_equal, make_batches, make_model, values

from keras_infnet.losses import task_losses
from keras_infnet.models import SharedBottom
from keras_infnet.optimizers import EmbeddingAdagrad, RowSparseOptimizer
from keras_infnet.training import (
    FlowSearch,
    ScaledRate,
    ScenarioTaskAUC,
    WarmUp,
    compile_ranker,
    fit_ranker,
    kept_flows,
    predict_rows,
)


class Watch(keras.callbacks.Callback):
    """Notes weights at the start of epochs and at the end of the last."""

    def __init__(self):
        super().__init__()
        self.started, self.temperatures = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.started.append(values(self.model.weights))
        (temperature,) = (
            v for p, v in self.started[-1].items() if p.endswith("temperature")
        )
        self.temperatures.append(float(temperature))

    def on_epoch_end(self, epoch, logs=None):
        self.last = values(self.model.weights)


def test_temperature_rewinding_and_what_the_retrained_model_starts_with():
    batches = make_batches()
    model = make_model(batches, dropout=0.1)
    search = FlowSearch(epochs=4, final_temperature=27.0, rewind_epoch=2)
    model.compile(search.optimizer(model), loss=task_losses(batches.schema))
    watch = Watch()
    fit_ranker(model, batches, epochs=4, callbacks=[search, watch], verbose=0)
    assert watch.temperatures == pytest.approx([1, 3, 9, 27], rel=1e-5)
    ranker = search.build_retrain(model, l2=3e-4)
    assert ranker.settings["l2"] == 3e-4 and ranker.stage == "retrain"
    start, end = watch.started[2], watch.last
    moved = 0
    for path, value in values(ranker.weights).items():
        if path.startswith("flow_gates"):
            expected = end[path]
        elif path == "frozen_embedding/embeddings":
            expected = end["embedding/embeddings"]
        else:
            expected = start[path]
            moved += not np.array_equal(start[path], end[path])
        np.testing.assert_array_equal(value, expected, err_msg=path)
    assert moved > 5

    # Hard gates, which nothing moves any more.
    frozen = values([*ranker.gate_weights, *ranker.frozen_tables])
    inputs, *_ = batches[0]
    gates = ranker.gate_model().predict_on_batch(inputs)
    assert set(np.unique(gates)) <= {0.0, 1.0}
    compile_ranker(ranker)
    before = values(ranker.trainable_weights)
    fit_ranker(ranker, batches, epochs=1, verbose=0)
    assert_equal(values([*ranker.gate_weights, *ranker.frozen_tables]), frozen)
    assert not {p for p in before if p.startswith(("flow", "frozen"))}
    after = values(ranker.trainable_weights)
    assert all((after[p] != before[p]).any() for p in before)


def test_files_of_both_stages(tmp_path):
    """Saved and loaded, each stage answers as before."""
    batches = make_batches()
    model = make_model(batches)
    search = FlowSearch(epochs=2)
    model.compile(search.optimizer(model), loss=task_losses(batches.schema))
    fit_ranker(model, batches, epochs=2, callbacks=[search], verbose=0)
    ranker = search.build_retrain(model)
    inputs, labels, weights = batches[0]
    for one in (model, ranker):
        expected = one.predict_on_batch(inputs)
        one.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert loaded.stage == one.stage
        for task, y in loaded.predict_on_batch(inputs).items():
            np.testing.assert_allclose(y, expected[task], rtol=1e-6)
        if one is model:
            # The optimizer goes on where it was.
            for each in (model, loaded):
                each.train_on_batch(inputs, labels, weights)
            for path, value in values(model.weights).items():
                np.testing.assert_allclose(
                    values(loaded.weights)[path], value, atol=1e-6
                )


@pytest.mark.parametrize("kind", ["dense", "rows", "scheduled", "scaled"])
def test_gates_move_slowly(kind):
    """Adam's first step is as long as its rate, whatever the gradient."""
    batches = make_batches()
    model = make_model(
        batches, dtype="mixed_float16" if kind == "scaled" else None
    )
    rate = 0.01
    dense = keras.optimizers.Adam(
        WarmUp(rate) if kind == "scheduled" else rate, epsilon=1e-12
    )
    if kind == "rows":
        dense = RowSparseOptimizer(dense, EmbeddingAdagrad(0.1))
    search = FlowSearch(epochs=2, gate_ratio=0.02)
    model.compile(
        search.optimizer(model, dense),
        loss=task_losses(batches.schema),
        embedding_optimizer="dense" if kind == "dense" else None,
    )
    before = values(model.trainable_weights)
    model.train_on_batch(*batches[0])
    after = values(model.trainable_weights)
    longest = {p: np.abs(after[p] - before[p]).max() for p in before}
    gates = [d for p, d in longest.items() if p.startswith("flow_gates")]
    others = [d for p, d in longest.items() if p.startswith("bottom")]
    assert max(gates) == pytest.approx(0.02 * rate, rel=1e-3)
    assert max(others) == pytest.approx(rate, rel=1e-3)


def test_optimizers_of_the_gates():
    batches = make_batches()
    model = make_model(batches)
    search = FlowSearch(gate_ratio=0.1)
    default = search.optimizer(model)
    slow, fast = default.optimizers
    assert isinstance(slow, keras.optimizers.Adam)
    assert type(slow) is type(fast)
    assert float(fast.learning_rate) == pytest.approx(3e-4)
    assert float(slow.learning_rate) == pytest.approx(3e-5)
    decayed = keras.optimizers.AdamW(WarmUp(0.5, 10), weight_decay=0.3)
    slow, fast = search.optimizer(model, decayed).optimizers
    assert fast is decayed and slow.weight_decay == 0.0
    rate = ScaledRate(WarmUp(0.5, 10), 0.1)
    again = ScaledRate.from_config(rate.get_config())
    assert float(rate(4)) == float(again(4)) == pytest.approx(0.025)


def test_report_by_hand():
    batches = make_batches(rows=90, shuffle=False)
    model = make_model(batches)
    kernel = model.get_layer("flow_gates").scores.output_layer.kernel
    rng = np.random.default_rng(0)
    kernel.assign(rng.normal(size=kernel.shape))
    found = kept_flows(model, batches)
    gates = model.gate_model().predict(batches, verbose=0)
    kept = 1.0 * (gates <= 0.5)
    tabs = np.concatenate([batches[i][0]["tab"] for i in range(len(batches))])
    names = batches.encoder.vocabularies["tab"]
    assert len(found) == 3 * 2 and set(found.scenario) == set(names)
    for _, row in found.iterrows():
        rows = tabs == 1 + list(names).index(row.scenario)
        task = SCHEMA.task_names.index(row.task)
        assert row.rows == rows.sum()
        assert list(row.iloc[3:]) == pytest.approx(
            list(kept[rows, task].mean(axis=0))
        )
    shares = found.iloc[:, 3:].to_numpy()
    assert 0 <= shares.min() < shares.max() <= 1
    search = FlowSearch()
    pd.testing.assert_frame_equal(search.report(model, batches), found)


def test_a_search_that_diverged_is_refused():
    batches = make_batches()
    model = make_model(batches)
    search = FlowSearch(epochs=2, rewind_epoch=0)
    sgd = keras.optimizers.SGD(1e30)
    model.compile(
        search.optimizer(model, sgd), loss=task_losses(batches.schema)
    )
    fit_ranker(model, batches, epochs=2, callbacks=[search], verbose=0)
    with pytest.raises(ValueError, match="the search diverged"):
        search.build_retrain(model)


def test_a_search_without_flow_search_is_told_of(caplog):
    batches = make_batches()
    model = compile_ranker(make_model(batches))
    with caplog.at_level("WARNING", logger="keras_infnet"):
        fit_ranker(model, batches, verbose=0)
    assert "without FlowSearch" in caplog.text


def test_refused():
    batches = make_batches()
    model = make_model(batches)
    search = FlowSearch(epochs=2)
    with pytest.raises(ValueError, match="not complete"):
        search.build_retrain(model)
    model.compile("adam", loss=task_losses(batches.schema))
    with pytest.raises(ValueError, match=r"epochs=3.*epochs=2"):
        fit_ranker(model, batches, epochs=3, callbacks=[search], verbose=0)
    other = SharedBottom(batches.schema, hidden_dims=(3,))
    with pytest.raises(ValueError, match="AutoIFS.*SharedBottom"):
        search.optimizer(other)
    with pytest.raises(ValueError, match="only AutoIFS.*SharedBottom"):
        kept_flows(other, batches)
    with pytest.raises(ValueError, match="stage='retrain'"):
        search.optimizer(make_model(batches, stage="retrain"))
    fit_ranker(model, batches, epochs=2, callbacks=[search], verbose=0)
    with pytest.raises(ValueError, match="another model"):
        search.build_retrain(make_model(batches, scenario_dim=9))
    for wrong in (
        {"epochs": 1},
        {"rewind_epoch": 10},
        {"final_temperature": 0.0},
        {"gate_ratio": -1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            FlowSearch(**wrong)
    with pytest.raises(ValueError, match="shuffle=False"):
        ScenarioTaskAUC(batches)
    with pytest.raises(ValueError, match="shuffle=False"):
        predict_rows(model, batches)
