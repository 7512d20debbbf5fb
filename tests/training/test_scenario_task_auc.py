"""`ScenarioTaskAUC` against scikit-learn."""

import keras
import numpy as np
import pytest
from scenario_rows import SCHEMA, make_batches, make_model
from sklearn.metrics import roc_auc_score

from keras_infnet.training import ScenarioTaskAUC, compile_ranker, fit_ranker


def test_auc_of_scenarios_and_tasks():
    """Of every pair by scikit-learn, with the averaged weights."""
    train, valid = make_batches(), make_batches(seed=5, shuffle=False)
    model = compile_ranker(make_model(train), ema_momentum=0.9)

    class Predict(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            # The averages, which validation looks at.
            self.weights = self.model.get_weights()

    auc, predict = ScenarioTaskAUC(valid), Predict()
    history = fit_ranker(
        model, train, valid, epochs=2, callbacks=[predict, auc], verbose=0
    ).history
    model.set_weights(predict.weights)
    p = model.predict(valid, verbose=0)
    y, w = valid.labels(), valid.weights()
    tabs = np.concatenate([valid[i][0]["tab"] for i in range(len(valid))])
    expected = {}
    for tab in (1, 2, 3):
        for task in SCHEMA.task_names:
            rows = (tabs == tab) & (w[task] > 0)
            expected[tab, task] = roc_auc_score(y[task][rows], p[task][rows])
    assert auc.values == pytest.approx(expected, abs=1e-6)
    mean = np.mean(list(expected.values()))
    assert history["val_mean_auc"][-1] == pytest.approx(mean, abs=1e-6)
    assert history["val_mean_auc"][-1] != history["val_click_auc"][-1]


def test_auc_without_a_pair_of_both_classes(caplog):
    """Pairs with one class are left out, and counted once."""
    batches = make_batches(rows=60, shuffle=False)
    model = compile_ranker(make_model(batches))
    auc = ScenarioTaskAUC(batches)
    auc.set_model(model)
    labels = batches.labels()
    one = {**labels, "like": np.zeros_like(labels["like"])}
    batches.labels = lambda: one
    with caplog.at_level("INFO", logger="keras_infnet"):
        auc.on_test_end()
        auc.on_test_end()
    assert [r.getMessage()[:6] for r in caplog.records] == ["3 of 6"]
    logs = {}
    auc.on_epoch_end(0, logs)
    click = [v for (_, task), v in auc.values.items() if task == "click"]
    assert len(click) == len(auc.values) == 3
    assert logs["val_mean_auc"] == pytest.approx(np.mean(click))
    # Without a validation since then there is nothing to write.
    auc.on_epoch_end(1, logs := {})
    assert logs == {}
