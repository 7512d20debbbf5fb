"""Calibration of a model on labelled rows."""

import keras
import numpy as np
import pytest
from serving_examples import make_table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from keras_infnet.data import Batches
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.serving import Isotonic, Platt, Temperature, calibrate
from keras_infnet.training.prediction import predict_rows


def logit(p):
    p = np.asarray(p, np.float64)
    return np.log(p / (1 - p))


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


@pytest.fixture(scope="module")
def rows(model, encoder):
    """Rows whose labels are drawn from known functions of the predictions.

    Of click they are a line of the logits, of like, where it is observed, one
    through the origin.
    """
    table = make_table(4_000, seed=8)
    predictions = predict_rows(model, Batches(table, encoder, 1000))
    rng = np.random.default_rng(4)
    scores = {t: logit(p[:, 0]) for t, p in predictions.items()}
    click = rng.random(4_000) < sigmoid(1.5 * scores["click"] - 2.0)
    like = rng.random(4_000) < sigmoid(scores["like"] / 3)
    unseen = rng.random(4_000) < 0.1
    return table.with_columns(
        {
            "click": np.where(unseen, np.nan, click),
            "like": like.astype(np.float64),
        }
    )


@pytest.fixture(scope="module")
def observed(model, encoder, rows):
    """Predictions and labels of the rows where each task counts, by hand."""
    predictions = predict_rows(model, Batches(rows, encoder, 1000))
    click = rows["click"]
    counts = {
        "click": ~np.isnan(click),
        "like": click == 1,
        "stay": np.ones(len(click), bool),
    }
    return {
        task: (
            predictions[task][mask, 0].astype(np.float64),
            np.asarray(rows[task])[mask],
        )
        for task, mask in counts.items()
    }


@pytest.fixture(scope="module")
def platt(model, encoder, rows):
    methods = {"click": "platt", "like": "temperature", "stay": "isotonic"}
    return calibrate(model, encoder, rows, methods, batch_size=1000)


def test_what_made_the_labels_is_found(platt):
    click, like, stay = (task.calibrator for task in platt.tasks)
    assert isinstance(click, Platt) and isinstance(like, Temperature)
    assert click.slope == pytest.approx(1.5, rel=0.15)
    assert click.intercept == pytest.approx(-2.0, rel=0.15)
    assert like.temperature == pytest.approx(3.0, rel=0.4)
    assert isinstance(stay, Isotonic)


def test_it_is_fitted_where_a_task_counts(platt, observed):
    for task, intercept in (("click", True), ("like", False)):
        predictions, labels = observed[task]
        other = LogisticRegression(
            C=np.inf, fit_intercept=intercept, tol=1e-10, max_iter=1000
        )
        other.fit(logit(predictions)[:, None], labels)
        calibrator = platt.task(task).calibrator
        slope = calibrator.slope if intercept else 1 / calibrator.temperature
        assert slope == pytest.approx(other.coef_[0, 0], abs=1e-4)


def test_figures_before(platt, observed):
    for task, (predictions, labels) in observed.items():
        before = platt.task(task).before
        assert before.rows == len(labels)
        assert before.rate == pytest.approx(labels.mean())
        ratio = predictions.sum() / labels.sum()
        assert before.calibration == pytest.approx(ratio)
        loss = log_loss(labels, predictions)
        assert before.log_loss == pytest.approx(loss)
        base = log_loss(labels, np.full(len(labels), labels.mean()))
        assert before.normalized_entropy == pytest.approx(loss / base)
    # Ten bins of 400 rows, by hand.
    bins = np.array_split(np.argsort(predictions), 10)
    gaps = [abs(predictions[b].mean() - labels[b].mean()) for b in bins]
    assert before.expected_calibration_error == pytest.approx(np.mean(gaps))


def test_figures_after_are_those_of_rows_unseen(platt, observed):
    click, stay = platt.task("click"), platt.task("stay")
    assert click.before.calibration > 1.3
    assert click.after.calibration == pytest.approx(1.0, abs=0.01)
    assert click.after.log_loss < click.before.log_loss
    ece = click.after.expected_calibration_error
    assert ece < click.before.expected_calibration_error / 4
    # Labels of stay are a coin's. A free function learns them by heart, and
    # what it learned is of no use on other rows.
    predictions, labels = observed["stay"]
    by_heart = log_loss(labels, stay.apply(predictions))
    assert by_heart < np.log(2) < stay.after.log_loss


def test_it_does_not_depend_on_chance(platt, model, encoder, rows):
    methods = {"click": "platt", "like": "temperature", "stay": "isotonic"}
    again = calibrate(model, encoder, rows.to_pandas(), methods)
    assert again.task_names == platt.task_names
    for task, other in zip(again.tasks, platt.tasks, strict=True):
        np.testing.assert_allclose(task.after, other.after, rtol=1e-4)


@pytest.fixture(scope="module")
def sampled(model, encoder):
    """Rows that the odds of the model suit with a quarter of the negatives."""
    table = make_table(8_000, seed=9)
    predictions = predict_rows(model, Batches(table, encoder, 2000))
    odds = logit(predictions["click"][:, 0]) + np.log(0.25)
    rng = np.random.default_rng(0)
    labels = (rng.random(8_000) < sigmoid(odds)).astype(np.int64)
    kept = (labels == 1) | (rng.random(8_000) < 0.25)
    table = table.with_columns({"click": labels})
    return table, table.take(np.flatnonzero(kept))


def test_the_closed_form_alone(model, encoder, sampled):
    found = calibrate(model, encoder, sampled[0], {}, {"click": 0.25})
    (click,) = found.tasks
    assert click.calibrator is None and click.negative_rate == 0.25
    assert click.before.calibration > 1.5
    assert click.after.calibration == pytest.approx(1.0, abs=0.05)


def test_the_rest_is_fitted_behind_it(model, encoder, sampled):
    for index in (0, 1):
        found = calibrate(
            model,
            encoder,
            sampled[index],
            {"click": "platt"},
            0.25,
            rows_sampled=index == 1,
        ).task("click")
        assert found.calibrator.slope == pytest.approx(1.0, abs=0.15)
        assert found.calibrator.intercept == pytest.approx(0, abs=0.2)
        assert found.after.calibration == pytest.approx(1, abs=0.02)
    # Without that word, the fit undoes the correction.
    undone = calibrate(
        model, encoder, sampled[1], {"click": "platt"}, 0.25
    ).task("click")
    away = undone.calibrator.intercept
    assert away == pytest.approx(np.log(4), abs=0.2)


def test_rows_need_a_rate(model, encoder, sampled):
    with pytest.raises(ValueError, match="`negative_rate`"):
        calibrate(model, encoder, sampled[1], rows_sampled=True)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("plat",), "'plat'.*'platt'"),
        (({"clik": "platt"},), "'clik'.*'click'"),
        (({"click": "sigmoid"},), "'sigmoid'"),
        (({},), "`method`.*{}"),
        (("platt", 2.0), "'click'.*2.0"),
        (("platt", {"lik": 0.5}), "'lik'"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(
    model, encoder, arguments, message
):
    with pytest.raises(ValueError, match=message):
        calibrate(model, encoder, "nowhere.parquet", *arguments)


def test_rows_that_tell_nothing(model, encoder, rows):
    some = rows.slice(0, 50)
    with pytest.raises(ValueError, match="no rows"):
        calibrate(model, encoder, some.slice(0, 0))
    for click, message in (
        (np.zeros(50), "'click'"),
        (np.arange(50) == 7, "49"),
        (np.full(50, np.nan), "'click'"),
    ):
        table = some.with_columns({"click": click.astype(float)})
        with pytest.raises(ValueError, match=message):
            calibrate(model, encoder, table)
        # Another task can do without.
        found = calibrate(model, encoder, table, {"stay": "platt"})
        assert found.task_names == ("stay",)


def test_predictions_that_are_no_numbers(model, encoder, rows):
    broken = keras.models.clone_model(model)
    broken.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(ValueError, match="'click'.*50"):
        calibrate(broken, encoder, rows.slice(0, 50))


def test_regression_is_left_alone(table):
    tasks = [Task("click"), Task("count", kind="regression")]
    schema = Schema([Categorical("item", hash_buckets=8)], tasks)
    encoder = Encoder(schema).fit(table)
    item = keras.Input((), dtype="int32", name="item")
    hidden = keras.layers.Embedding(schema.table_size("item"), 2)(item)
    outputs = {
        "click": keras.layers.Dense(1, "sigmoid", name="click")(hidden),
        "count": keras.layers.Dense(1, name="count")(hidden),
    }
    model = keras.Model({"item": item}, outputs)
    found = calibrate(model, encoder, table)
    assert found.task_names == ("click",)
    values = {"click": np.full(3, 0.4), "count": np.arange(3) * 100}
    np.testing.assert_array_equal(found.apply(values)["count"], values["count"])
    with pytest.raises(ValueError, match="'count'"):
        calibrate(model, encoder, table, {"count": "platt"})
