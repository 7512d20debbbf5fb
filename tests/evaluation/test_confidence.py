"""Bootstrap intervals against plain resampling loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from keras_infnet.evaluation import (
    auc,
    auc_difference_interval,
    auc_interval,
    gauc,
    gauc_interval,
)


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 60, 900)
    # Rows of a user are correlated.
    level = generator.normal(size=60)[groups]
    logits = level + 0.3 * generator.normal(size=900)
    labels = generator.random(900) < 1 / (1 + np.exp(-level))
    return labels.astype(float), np.round(logits, 1), groups


def resamples(groups, count, seed):
    """The rows of each drawn user, one list per resample."""
    # Groups are numbered in order of first appearance.
    _, first = np.unique(groups, return_index=True)
    order = groups[np.sort(first)]
    generator = np.random.default_rng(seed)
    for _ in range(count):
        drawn = order[generator.integers(0, len(order), len(order))]
        yield [np.flatnonzero(groups == group) for group in drawn]


def test_auc_interval_repeats_rows_of_drawn_users(rows):
    labels, predictions, groups = rows
    weights = np.random.default_rng(1).integers(1, 3, 900).astype(float)
    actual = auc_interval(
        labels, predictions, groups, weights, num_resamples=20, seed=4
    )
    areas = []
    for parts in resamples(groups, 20, 4):
        index = np.concatenate(parts)
        areas.append(
            roc_auc_score(
                labels[index], predictions[index], sample_weight=weights[index]
            )
        )
    assert actual.value == auc(labels, predictions, weights)
    np.testing.assert_allclose(
        actual[1:], np.quantile(areas, [0.025, 0.975]), rtol=1e-9
    )


@pytest.mark.parametrize("weighting", ["impressions", "uniform"])
def test_gauc_interval_repeats_drawn_users(rows, weighting):
    labels, predictions, groups = rows
    actual = gauc_interval(*rows, weighting, num_resamples=20, seed=4)
    values = []
    for parts in resamples(groups, 20, 4):
        # A user drawn twice counts as two groups.
        copies = np.repeat(np.arange(len(parts)), list(map(len, parts)))
        index = np.concatenate(parts)
        found = gauc(labels[index], predictions[index], copies, weighting)
        values.append(found.value)
    assert actual.value == gauc(*rows, weighting).value
    np.testing.assert_allclose(
        actual[1:], np.quantile(values, [0.025, 0.975]), rtol=1e-9
    )


def test_users_make_the_interval_wider_than_rows(rows):
    labels, predictions, groups = rows
    by_user = auc_interval(labels, predictions, groups)
    by_row = auc_interval(labels, predictions)
    assert by_user.high - by_user.low > 1.2 * (by_row.high - by_row.low)
    assert by_row.low < by_row.value < by_row.high


def test_the_seed_decides(rows):
    assert auc_interval(*rows, seed=1) == auc_interval(*rows, seed=1)
    assert auc_interval(*rows, seed=1) != auc_interval(*rows, seed=2)


def test_a_higher_level_is_wider(rows):
    narrow = auc_interval(*rows, level=0.5)
    wide = auc_interval(*rows, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_missing_groups_and_labels():
    labels = [0, 1, float("nan"), 1]
    groups = np.array(["a", "a", "b", None], object)
    interval = auc_interval(labels, [0.1, 0.2, 0.3, 0.4], groups)
    assert interval == (1.0, 1.0, 1.0)


def test_undefined():
    assert np.isnan(auc_interval([0, 0], [0.1, 0.2])).all()
    assert np.isnan(gauc_interval([0, 1], [0.1, 0.2], [0, 1])).all()
    assert np.isnan(auc_interval([], [], [])).all()


def test_errors():
    with pytest.raises(ValueError, match="level=95"):
        auc_interval([0, 1], [0.1, 0.2], level=95)
    with pytest.raises(ValueError, match="num_resamples=0"):
        gauc_interval([0, 1], [0.1, 0.2], [0, 0], num_resamples=0)


def test_difference_by_resampling_by_hand():
    """Against scikit-learn on resamples drawn as documented."""
    rng = np.random.default_rng(3)
    # In order of first appearance, as the resamples number them.
    users = pd.factorize(rng.integers(0, 12, 300))[0]
    labels = (rng.random(300) < 0.4).astype(float)
    mine = labels + rng.normal(0, 1.0, 300)
    other = labels + rng.normal(0, 2.0, (2, 300))
    found = auc_difference_interval(
        labels, mine, other, users, num_resamples=50, seed=5
    )
    generator = np.random.default_rng(5)
    differences = []
    for _ in range(50):
        drawn = np.bincount(generator.integers(0, 12, 12), minlength=12)
        weights = drawn[users]

        def area(scores, weights=weights):
            return roc_auc_score(labels, scores, sample_weight=weights)

        differences.append(area(mine) - np.mean([area(o) for o in other]))
    low, high = np.quantile(differences, [0.025, 0.975])
    expected = roc_auc_score(labels, mine) - np.mean(
        [roc_auc_score(labels, o) for o in other]
    )
    below = (1 + np.sum(np.array(differences) <= 0)) / 51
    above = (1 + np.sum(np.array(differences) >= 0)) / 51
    np.testing.assert_allclose(
        found, (expected, low, high, 2 * min(below, above)), rtol=1e-9
    )


def test_no_difference_from_itself():
    labels, scores = [0, 1, 1, 0, 1], [0.1, 0.2, 0.9, 0.3, 0.4]
    found = auc_difference_interval(labels, scores, scores, num_resamples=30)
    assert found == (0.0, 0.0, 0.0, 1.0)
    assert np.isnan(auc_difference_interval([1, 1], [1, 2], [1, 2])).all()
