"""Ids to rows of tables, hashed or by their number."""

import numpy as np
import pytest

from keras_infnet.data.encoding.vocabularies import VocabularyIndex


def dense(rng):
    return rng.permutation(5000)[:3000]


def far_apart(rng):
    return rng.permutation(5000)[:3000] * 10**12


def one_far_id(rng):
    return np.append(rng.permutation(3000), 10**7)


@pytest.mark.parametrize("draw", [dense, far_apart, one_far_id])
def test_ids_are_places_in_the_vocabulary(draw):
    vocabulary = draw(np.random.default_rng(0)).astype(np.int64)
    places = {value: place for place, value in enumerate(vocabulary, 1)}
    values = np.concatenate(
        [
            vocabulary,
            vocabulary + 1,
            [-1, 0, 4999, 5000, 5001, np.iinfo(np.int64).max],
        ]
    )
    found = VocabularyIndex(vocabulary).look_up(values)
    assert found.dtype == np.int32
    assert found.tolist() == [places.get(value, 0) for value in values]


@pytest.mark.parametrize("vocabulary", [[0], [7], [0, 2**62], []])
def test_few_ids(vocabulary):
    index = VocabularyIndex(np.array(vocabulary, np.int64))
    values = np.array([-1, 0, 1, 7, 8, 2**62, 2**63 - 1])
    expected = [
        vocabulary.index(value) + 1 if value in vocabulary else 0
        for value in values.tolist()
    ]
    assert index.look_up(values).tolist() == expected
