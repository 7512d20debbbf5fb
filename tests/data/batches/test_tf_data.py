"""Batches as a `tf.data.Dataset`."""

import keras
import numpy as np
import pytest
from batch_examples import LENGTH, Spy, same, tiny_model

from keras_infnet.data.batches import Batches


@pytest.fixture
def tf():
    return pytest.importorskip("tensorflow")


def as_numpy(batch):
    return tuple({k: v.numpy() for k, v in part.items()} for part in batch)


def test_tf_data_has_the_same_batches(tf, source, encoder):
    data = Batches(source, encoder, 16, shuffle=True, window=25)
    dataset = data.to_tf_data(prefetch=2)
    assert len(dataset) == len(data)
    inputs, labels, weights = dataset.element_spec
    assert inputs["seen_tag"].shape.as_list() == [None, LENGTH, 2]
    assert inputs["seen_mask"].dtype == tf.bool
    assert labels.keys() == weights.keys() == {"click", "buy"}
    for epoch in range(3):
        assert data.epoch == epoch
        got = [as_numpy(batch) for batch in dataset]
        assert data.epoch == epoch + 1
        data.epoch = epoch
        for one, other in zip(got, data, strict=True):
            same(one, other)
        data.epoch = epoch + 1


def test_tf_data_without_labels(tf, table, encoder):
    data = Batches(table, encoder, 16, labels=False)
    for one, other in zip(data.to_tf_data(), data, strict=True):
        same(as_numpy(one), other)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow"
)
def test_fit_on_tf_data(tf, table, encoder):
    data = Spy(table, encoder, 16, shuffle=True)
    tiny_model(encoder.schema).fit(
        data.to_tf_data(),
        initial_epoch=3,
        epochs=5,
        callbacks=[data.epoch_callback()],
        shuffle=False,
        verbose=0,
    )
    epochs = np.bincount(data.seen)
    assert epochs[3] >= 7 and epochs[4] == 7
