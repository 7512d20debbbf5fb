"""Numbers behind the charts, by hand and by scikit-learn."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve as sklearn_curve

from keras_infnet.experiments import Compared
from keras_infnet.experiments.comparison.chart_points import (
    Series,
    calibration_points,
    epoch_curve,
    error_ends,
    loss_curve,
    pareto_front,
    spread_out,
    verdict,
)
from keras_infnet.experiments.comparison.charts import (
    curve_domain,
    is_logarithmic,
)


def model(*runs):
    return Compared("FM", list(runs), [])


def test_losses_of_runs_at_the_rows_of_all_of_them():
    curve = loss_curve(
        model(
            {"curve": {"rows": [100, 200, 300], "loss": [3.0, 2.0, 1.0]}},
            # Ended early, was looked at less often, lost a number.
            {"curve": {"rows": [100, 150, 200], "loss": [5.0, None, 3.0]}},
            {"error": "training diverged"},
        )
    )
    assert curve.x.tolist() == [100, 200, 300]
    assert curve.y.tolist() == [4.0, 2.5, 1.0]
    assert curve.low.tolist() == [3.0, 2.0, 1.0]
    assert curve.high.tolist() == [5.0, 3.0, 1.0]


def test_runs_are_interpolated():
    curve = loss_curve(
        model(
            {"curve": {"rows": [0, 100], "loss": [4.0, 2.0]}},
            {"curve": {"rows": [0, 25, 100], "loss": [1.0, 1.0, 1.0]}},
        )
    )
    assert curve.y.tolist() == [2.5, (3.5 + 1) / 2, 1.5]


@pytest.mark.parametrize(
    "run",
    [{}, {"curve": None}, {"curve": {"rows": [], "loss": []}}, {"history": {}}],
)
def test_runs_without_a_curve(run):
    assert loss_curve(model(run)) is None
    assert epoch_curve(model(run), "val_click_auc") is None


def test_epochs():
    runs = [
        {"history": {"val_click_auc": values}} for values in ([0.5, 0.7], [0.6])
    ]
    curve = epoch_curve(model(*runs), "val_click_auc")
    assert curve.x.tolist() == [1, 2]
    np.testing.assert_allclose(curve.y, [0.55, 0.7])
    # A single epoch makes no curve.
    assert epoch_curve(model(runs[1]), "val_click_auc") is None


def test_calibration_is_that_of_scikit_learn_with_wilsons_interval():
    rng = np.random.default_rng(0)
    scores = rng.random(998) ** 2
    labels = (rng.random(998) < scores).astype(float)
    found = calibration_points(labels, [scores])
    observed, predicted = sklearn_curve(
        labels, scores, n_bins=10, strategy="quantile"
    )
    np.testing.assert_allclose(found.x, predicted)
    np.testing.assert_allclose(found.y, observed)
    bins = pd.qcut(scores, 10, labels=False)
    for place in range(10):
        mine = labels[bins == place]
        ends = binomtest(int(mine.sum()), len(mine)).proportion_ci(
            method="wilson"
        )
        np.testing.assert_allclose(
            (found.low[place], found.high[place]), (ends.low, ends.high)
        )


def test_runs_share_bins_but_do_not_make_more_rows():
    rng = np.random.default_rng(1)
    # Far between bins: their edges do not depend on the number of runs.
    scores = np.repeat(np.arange(10) / 10, 30) + 0.01 * rng.random(300)
    labels = (rng.random(300) < 0.3).astype(float)
    weights = np.tile([0.0, 2.0, 2.0], 100)  # rows of weight 0 do not count
    once = calibration_points(labels, [scores], weights)
    twice = calibration_points(labels, [scores, scores], weights)
    kept = weights > 0
    alone = calibration_points(labels[kept], [scores[kept]])
    for one, two, three in zip(once, twice, alone, strict=True):
        np.testing.assert_allclose(one, two)
        np.testing.assert_allclose(one, three)


def test_calibration_of_a_regression():
    rng = np.random.default_rng(2)
    scores = rng.normal(10, 3, 499)
    labels = scores + rng.normal(0, 1, 499)
    labels[7] = np.nan
    found = calibration_points(labels, [scores], binary=False, num_bins=5)
    table = pd.DataFrame({"label": labels, "score": scores}).dropna()
    bins = table.groupby(pd.qcut(table["score"], 5, labels=False))
    np.testing.assert_allclose(found.x, bins["score"].mean())
    np.testing.assert_allclose(found.y, bins["label"].mean())
    error = bins["label"].std(ddof=0) / np.sqrt(bins["label"].count())
    np.testing.assert_allclose(
        found.high, found.y + 1.959964 * error, rtol=1e-6
    )
    constant = calibration_points(labels, [np.ones(499)], binary=False)
    assert len(constant.y) == 1
    nothing = calibration_points(labels * np.nan, [scores], binary=False)
    assert len(nothing.y) == 0


def test_pareto_front():
    rng = np.random.default_rng(3)
    costs = rng.integers(1, 9, 40)
    qualities = rng.integers(1, 9, 40)
    front = pareto_front(costs, qualities)
    assert 0 < front.sum() < 40
    for mine in range(40):
        beaten = any(
            (costs[other] < costs[mine] and qualities[other] >= qualities[mine])
            or (
                costs[other] <= costs[mine]
                and qualities[other] > qualities[mine]
            )
            for other in range(40)
        )
        assert front[mine] != beaten
    # Equals do not beat each other.
    assert pareto_front([1, 1], [0.5, 0.5]).all()
    assert len(pareto_front([], [])) == 0


def test_labels_keep_their_distance_and_their_order():
    rng = np.random.default_rng(4)
    wanted = rng.random(12) ** 3
    places = spread_out(wanted, 0.05, 0.0, 1.0)
    assert places.min() >= 0 and places.max() <= 1 + 1e-12
    assert (np.diff(np.sort(places)) >= 0.05 - 1e-12).all()
    assert (np.argsort(places) == np.argsort(wanted)).all()
    # Those with room stay.
    np.testing.assert_allclose(
        spread_out([0.9, 0.1, 0.5], 0.2, 0.0, 1.0), [0.9, 0.1, 0.5]
    )
    # More than there is room for share what there is.
    np.testing.assert_allclose(
        spread_out(np.zeros(5), 0.5, 0.0, 1.0), np.linspace(0, 1, 5)
    )


def test_verdicts():
    assert verdict({"difference": 0.01, "p_value": 0.0499}) == "better"
    assert verdict({"difference": -0.01, "p_value": 0.01}) == "worse"
    assert verdict({"difference": 0.01, "p_value": 0.05}) == "tied"
    assert verdict({"difference": 0.01, "p_value": math.nan}) == ""


def test_error_bars_are_intervals_of_differences_or_spreads():
    reference = {"model": "a", "auc": 0.7, "auc_sd": 0.01}
    other = {
        "model": "b",
        "auc": 0.72,
        "auc_sd": 0.05,
        "difference_low": 0.01,
        "difference_high": 0.03,
    }
    rows = [reference, other]
    assert error_ends(other, rows, "a") == pytest.approx((0.71, 0.73))
    assert np.isnan(error_ends(reference, rows, "a")).all()
    # Where the reference diverged, nothing was tested.
    alone = {"model": "b", "auc": 0.72, "auc_sd": 0.05}
    assert error_ends(alone, [alone], "a") == pytest.approx((0.67, 0.77))
    price = {"model": "b", "rmse": 2.0, "rmse_sd": 0.5}
    assert error_ends(price, [price], "a") == (1.5, 2.5)


def test_the_steep_start_of_a_loss_is_cut_off_and_no_auc_is():
    x = np.arange(100.0)
    y = np.where(x < 3, 50.0, 1.0 + x / 1000)
    curve = Series(x, y, y, y)
    low, high = curve_domain([curve], of_loss=True)
    assert 0.98 < low < 1.003 and 1.09 < high < 1.2
    assert curve_domain([curve])[1] > 50
    flat = Series(x, x * 0 + 2, x * 0 + 2, x * 0 + 2)
    low, high = curve_domain([flat])
    assert low < 2 < high


def test_rare_rates_have_logarithmic_axes():
    def points(values):
        values = np.array(values)
        return Series(values, values, values, values)

    assert not is_logarithmic([points([0.2, 0.4, 0.6])])
    assert is_logarithmic([points([0.001, 0.0, 0.1])])
