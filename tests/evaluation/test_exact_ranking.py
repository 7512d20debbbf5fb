"""Exact AUC and GAUC against scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from keras_infnet.evaluation import auc, gauc, group_aucs

NAN = float("nan")


def pairs(labels, predictions, weights):
    """AUC by counting all pairs."""
    won = total = 0.0
    for y, p, w in zip(labels, predictions, weights, strict=True):
        for z, q, v in zip(labels, predictions, weights, strict=True):
            if y == 1 and z == 0:
                total += w * v
                won += w * v * ((p > q) + 0.5 * (p == q))
    return won / total if total else NAN


@st.composite
def rows(draw):
    count = draw(st.integers(1, 30))
    return (
        draw(arrays(float, count, elements=st.sampled_from([0.0, 1.0, NAN]))),
        # Few values, so that there are ties.
        draw(arrays(float, count, elements=st.sampled_from([0.1, 0.2, 0.7]))),
        draw(arrays(float, count, elements=st.sampled_from([0, 1, 2, 0.5]))),
        draw(arrays(int, count, elements=st.integers(0, 3))),
    )


@settings(deadline=None, max_examples=200)
@given(rows())
def test_auc_counts_pairs(rows):
    labels, predictions, weights, _ = rows
    expected = pairs(*rows[:3])
    np.testing.assert_allclose(auc(labels, predictions, weights), expected)
    kept = ~np.isnan(labels) & (weights > 0)
    if len(set(labels[kept])) == 2:
        np.testing.assert_allclose(
            expected,
            roc_auc_score(
                labels[kept], predictions[kept], sample_weight=weights[kept]
            ),
        )


@settings(deadline=None, max_examples=200)
@given(rows())
def test_gauc_averages_over_groups(rows):
    labels, predictions, weights, groups = rows
    values, shares = [], []
    for group in range(4):
        mask = (groups == group) & ~np.isnan(labels)
        value = pairs(labels[mask], predictions[mask], weights[mask])
        if not np.isnan(value):
            values.append(value)
            shares.append(weights[mask].sum())
    actual = gauc(labels, predictions, groups, weights=weights)
    uniform = gauc(labels, predictions, groups, "uniform", weights)
    assert actual.num_groups == uniform.num_groups == len(values)
    if values:
        np.testing.assert_allclose(
            actual.value, np.average(values, weights=shares)
        )
        np.testing.assert_allclose(uniform.value, np.mean(values))
    else:
        assert np.isnan(actual.value) and np.isnan(uniform.value)


def test_many_distinct_predictions():
    generator = np.random.default_rng(0)
    predictions = generator.random(5000).astype("float32")
    labels = generator.random(5000) < predictions
    np.testing.assert_allclose(
        auc(labels, predictions[:, None]), roc_auc_score(labels, predictions)
    )


def test_rare_positives():
    generator = np.random.default_rng(1)
    predictions = generator.random(20_000) * 1e-6
    labels = np.zeros(20_000)
    labels[generator.integers(0, 20_000, 5)] = 1
    np.testing.assert_allclose(
        auc(labels, predictions), roc_auc_score(labels, predictions)
    )


def test_groups_of_strings_and_missing_groups():
    groups = np.array(["a", "b", None, "a", "b", None], object)
    labels = [1, 0, 1, 0, 1, 0]
    predictions = [0.9, 0.3, 0.1, 0.2, 0.1, 0.8]
    # "a" is right, "b" wrong, the rows without a group do not count.
    assert gauc(labels, predictions, groups) == (0.5, 2)
    areas, sizes = group_aucs(labels, predictions, groups)
    assert areas.tolist() == [1.0, 0.0]
    assert sizes.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1], [NAN, NAN]])
def test_undefined(labels):
    predictions = np.linspace(0.1, 0.2, len(labels))
    assert np.isnan(auc(labels, predictions))
    value, count = gauc(labels, predictions, np.zeros(len(labels)))
    assert np.isnan(value) and count == 0


def test_all_groups_missing():
    value, count = gauc([0, 1], [0.1, 0.2], np.array([None, None]))
    assert np.isnan(value) and count == 0


@pytest.mark.parametrize(
    "labels, predictions, weights, message",
    [
        ([0, 2], [0.1, 0.2], None, "labels .*2.0 in row 1"),
        ([0, 1], [0.1, NAN], None, "predictions .*nan in row 1"),
        ([0, 1], [0.1, 0.2], [1, -1], "weights .*-1.0 in row 1"),
        ([0, 1], [0.1], None, "2 labels, 1 predictions"),
        ([0, 1], [[0.1, 0.2], [0, 0]], None, r"shape.*\(2, 2\)"),
    ],
)
def test_errors(labels, predictions, weights, message):
    with pytest.raises(ValueError, match=message):
        auc(labels, predictions, weights)


def test_group_errors():
    with pytest.raises(ValueError, match="Did you mean 'uniform'"):
        gauc([0, 1], [0.1, 0.2], [0, 0], "unifrm")
    with pytest.raises(ValueError, match=r"groups .*\(3,\)"):
        gauc([0, 1], [0.1, 0.2], [0, 0, 0])
