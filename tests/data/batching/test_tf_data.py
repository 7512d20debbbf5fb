"""Batches as a `tf.data.Dataset`."""

import gc
import weakref

import keras
import numpy as np
import pytest
from batch_examples import LENGTH, Spy, same, tiny_model

from keras_infnet.data.batching.batches import Batches


@pytest.fixture
def tf():
    return pytest.importorskip("tensorflow")


def as_numpy(batch):
    return tuple({k: v.numpy() for k, v in part.items()} for part in batch)


def test_tf_data_has_the_same_batches(tf, source, encoder):
    data = Batches(source, encoder, 16, shuffle=True, window=25)
    dataset = data.to_tf_data(prefetch=2)
    assert len(dataset) == len(data)
    assert dataset.schema == encoder.schema
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


def test_the_rows_go_with_the_dataset(tf, table, encoder):
    data = Batches(table, encoder, 16)
    rows = weakref.ref(data)
    dataset = data.to_tf_data()
    next(iter(dataset))
    del data
    gc.collect()
    assert rows() is not None
    del dataset
    gc.collect()
    assert rows() is None


@pytest.mark.parametrize("kind", ["map", "iterator", "repeat", "zip", "flat"])
def test_the_rows_stay_for_what_is_made_of_the_dataset(
    tf, table, encoder, kind
):
    expected = Batches(table, encoder, 16)[0][1]["click"]

    def made():
        dataset = Batches(table, encoder, 16).to_tf_data()
        labels = dataset.map(lambda x, y, w: y["click"])
        if kind == "map":
            return labels.take(2).cache().prefetch(1)
        if kind == "iterator":
            return iter(labels)
        if kind == "repeat":
            return labels.repeat().shuffle(1)
        if kind == "zip":
            zipped = tf.data.Dataset.zip((labels, labels.skip(1)))
            return zipped.map(lambda one, two: one)
        return tf.data.Dataset.range(1).interleave(lambda _: labels)

    data = made()
    gc.collect()
    np.testing.assert_array_equal(next(iter(data)).numpy(), expected)


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
