"""Initialization of large embedding tables in pieces."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_infnet.layers import StackedEmbedding
from keras_infnet.layers.embedding import large_table_initializer


def table_of(rows, initializer):
    layer = StackedEmbedding(
        {"item": rows},
        {"fields": [("item", "item")]},
        dim=4,
        embeddings_initializer=initializer,
    )
    layer.build({"item": (None,)})
    return ops.convert_to_numpy(layer.embeddings)


@pytest.mark.parametrize("kind", ["RandomNormal", "RandomUniform"])
def test_pieces_are_distributed_like_the_whole(monkeypatch, kind):
    def initializer():
        return getattr(keras.initializers, kind)(seed=7)

    whole = table_of(4_000, initializer())
    monkeypatch.setattr(large_table_initializer, "_PIECE", 1_200)
    pieces = table_of(4_000, initializer())
    assert pieces.shape == whole.shape
    # The first piece has the first seed; no two pieces are equal.
    starts = {tuple(pieces[start]) for start in range(0, 4_000, 300)}
    assert len(starts) == len(range(0, 4_000, 300))
    # 16,000 elements: five standard errors of mean and deviation.
    spread = whole.std()
    assert abs(pieces.mean()) < 5 * spread / np.sqrt(pieces.size)
    np.testing.assert_allclose(pieces.std(), spread, rtol=0.03)
    np.testing.assert_array_equal(pieces, table_of(4_000, initializer()))


def test_other_initializers_get_the_whole_shape(monkeypatch):
    monkeypatch.setattr(large_table_initializer, "_PIECE", 8)
    seen = []

    class Recorder(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            seen.append(tuple(shape))
            return ops.zeros(shape, dtype)

    table_of(40, Recorder())
    assert seen == [(40, 4)]
