"""One score out of the metrics of the tasks."""

from keras_infnet.evaluation import evaluate
from keras_infnet.experiments.sweep import run_sweep
from keras_infnet.schema import Categorical, Schema, Task


def test_scores_leave_out_what_is_not_defined():
    schema = Schema([Categorical("a")], [Task("x"), Task("y")])
    labels = {"x": [0, 1, 1], "y": [1, 1, 1]}
    predictions = {"x": [0.5, 0.6, 0.4], "y": [0.5, 0.6, 0.4]}
    found = evaluate(labels, predictions, None, schema)
    assert run_sweep.mean_score(found) == ("auc", 0.5)
    assert run_sweep.mean_score({"z": {"rmse": 2.0}}) == ("rmse", 2.0)
    assert run_sweep.mean_score({}) is None
