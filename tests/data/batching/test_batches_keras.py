"""Batches in `fit` and `predict`, and in another process."""

import pickle

import keras
import numpy as np
import pytest
from batch_examples import ROWS, Spy, rows_of, tiny_model

from keras_infnet.data.batching.batches import Batches, batches


@pytest.mark.parametrize("workers", [1, 2])
def test_fit_and_predict(table, encoder, workers):
    data = Spy(table, encoder, 16, shuffle=True, workers=workers)
    model = tiny_model(encoder.schema)
    model.fit(
        data,
        validation_data=Batches(table, encoder, 50),
        initial_epoch=3,
        epochs=5,
        callbacks=[data.epoch_callback()],
        shuffle=False,
        verbose=0,
    )
    epochs = np.bincount(data.seen)
    assert epochs[3] >= 7 and epochs[4] == 7
    scores = model.predict(Batches(table, encoder, 50, labels=False), verbose=0)
    assert scores["click"].shape == (ROWS, 1)


def test_travels_to_another_process(source, encoder):
    data = Batches(source, encoder, 16, shuffle=True, window=25)
    data.epoch = 2
    copy = pickle.loads(pickle.dumps(data))
    assert rows_of(copy) == rows_of(data)


def test_form_suits_the_backend(table, encoder):
    data = batches(table, encoder, 16)
    if keras.backend.backend() == "tensorflow":
        assert not isinstance(data, Batches)
    else:
        assert isinstance(data, Batches)
    assert len(data) == 7
