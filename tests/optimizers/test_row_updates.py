"""Tables after many steps against dense optimizers in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_infnet.optimizers import (
    EmbeddingAdagrad,
    LazyAdam,
    RowGradients,
    RowSparseOptimizer,
    RowwiseAdagrad,
)

ROWS, DIM, LOOKUPS, STEPS = 12, 3, 40, 24


def batches(seed=0):
    """Row indices, most of them repeated, and a gradient per lookup."""
    rng = np.random.default_rng(seed)
    for step in range(STEPS):
        # Some rows are only read in some steps, the last one never.
        rows = rng.integers(0, 3 + step % (ROWS - 3), LOOKUPS).astype("int32")
        yield rows, rng.normal(size=(LOOKUPS, DIM)).astype("float32") / 10


def dense_gradient(rows, values):
    gradient = np.zeros((ROWS, DIM))
    np.add.at(gradient, rows, values)
    return gradient


def first_table():
    return np.random.default_rng(1).normal(size=(ROWS, DIM)).astype("float32")


def in_pieces(rows, values):
    """Gradients in two pieces, as from two groups of inputs."""
    parts = (slice(None, 15), slice(15, None))
    return RowGradients(
        [ops.convert_to_tensor(rows[part]) for part in parts],
        [ops.convert_to_tensor(values[part]) for part in parts],
    )


def train(optimizer, seed=0):
    """Applies all batches by rows and returns the table."""
    table = keras.Variable(first_table(), name="table")
    optimizer.build([table])
    for rows, values in batches(seed):
        optimizer.apply([in_pieces(rows, values)], [table])
    return table


def numpy_of(variable):
    return ops.convert_to_numpy(variable).astype("float64")


def numpy_adagrad(rowwise, rate=0.1, start=0.0, epsilon=1e-8, decay=0.0):
    table = first_table().astype("float64")
    accumulator = np.full((ROWS, 1 if rowwise else DIM), start)
    history = []
    for rows, values in batches():
        gradient = dense_gradient(rows, values)
        squares = gradient**2
        if rowwise:
            accumulator += squares.mean(axis=1, keepdims=True)
            root = np.sqrt(accumulator) + epsilon
        else:
            accumulator += squares
            root = np.sqrt(accumulator + epsilon)
        touched = np.isin(np.arange(ROWS), rows)[:, None]
        table -= touched * rate * decay * table
        table -= rate * gradient / np.where(root == 0, 1, root)
        history.append(table.copy())
    return table, history


@pytest.mark.parametrize("kind", [RowwiseAdagrad, EmbeddingAdagrad])
def test_adagrad(kind):
    rowwise = kind is RowwiseAdagrad
    expected, _ = numpy_adagrad(rowwise, epsilon=1e-8 if rowwise else 1e-12)
    actual = numpy_of(train(kind(0.1)))
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert np.array_equal(actual[-1], first_table()[-1])
    optimizer = kind(
        0.1, initial_accumulator_value=0.2, epsilon=0.05, weight_decay=0.3
    )
    expected, _ = numpy_adagrad(rowwise, 0.1, 0.2, 0.05, 0.3)
    np.testing.assert_allclose(numpy_of(train(optimizer)), expected, atol=1e-6)


def test_lazy_adam():
    table = first_table().astype("float64")
    m, v = np.zeros_like(table), np.zeros_like(table)
    for step, (rows, values) in enumerate(batches(), 1):
        gradient = dense_gradient(rows, values)
        touched = np.unique(rows)
        m[touched] = 0.9 * m[touched] + 0.1 * gradient[touched]
        v[touched] = 0.99 * v[touched] + 0.01 * gradient[touched] ** 2
        table[touched] -= (
            0.05
            * (m[touched] / (1 - 0.9**step))
            / (np.sqrt(v[touched] / (1 - 0.99**step)) + 1e-7)
        )
    actual = numpy_of(train(LazyAdam(0.05, beta_2=0.99)))
    np.testing.assert_allclose(actual, table, atol=1e-6)


def test_rate_of_a_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0], [0.1, 1e-30]
    )
    table = numpy_of(train(RowwiseAdagrad(schedule)))
    _, history = numpy_adagrad(rowwise=True)
    np.testing.assert_allclose(table, history[0], atol=1e-6)


def test_averages_equal_those_of_whole_tables():
    """Including rows that were not read for many steps, or never."""
    optimizer = RowwiseAdagrad(0.1, use_ema=True, ema_momentum=0.9)
    table = train(optimizer)
    _, history = numpy_adagrad(rowwise=True)
    average = history[0].copy()
    for weights in history[1:]:
        average = 0.9 * average + 0.1 * weights
    np.testing.assert_allclose(numpy_of(table), history[-1], atol=1e-6)
    optimizer.bring_averages_up_to_date()
    optimizer.swap_averages()
    np.testing.assert_allclose(numpy_of(table), average, atol=1e-6)
    optimizer.swap_averages()
    np.testing.assert_allclose(numpy_of(table), history[-1], atol=1e-6)
    optimizer.finalize_variable_values([table])
    np.testing.assert_allclose(numpy_of(table), average, atol=1e-6)


def test_reading_averages_does_not_change_training():
    results = []
    for ask in (False, True):
        optimizer = RowwiseAdagrad(0.1, use_ema=True, ema_momentum=0.9)
        table = keras.Variable(first_table(), name="table")
        optimizer.build([table])
        for step, (rows, values) in enumerate(batches()):
            optimizer.apply([in_pieces(rows, values)])
            if ask and step in (7, 20):
                optimizer.bring_averages_up_to_date()
                optimizer.swap_averages()
                optimizer.swap_averages()
        optimizer.finalize_variable_values([table])
        results.append(numpy_of(table))
    np.testing.assert_allclose(*results, atol=1e-6)


@pytest.mark.parametrize("rate", [-1, float("nan"), np.float32("inf")])
def test_a_wrong_rate_cannot_be_set(rate):
    embedding = RowwiseAdagrad(0.1)
    both = RowSparseOptimizer(keras.optimizers.SGD(0.2), embedding)
    for optimizer in (embedding, both):
        with pytest.raises(ValueError, match="`learning_rate`.*Received"):
            optimizer.learning_rate = rate
    rates = float(both.learning_rate), float(embedding.learning_rate)
    assert rates == pytest.approx((0.2, 0.1))


def test_keras_cannot_swap_the_averages_of_rows():
    """`AveragedWeights` brings them up to date first."""
    optimizer = RowSparseOptimizer(
        keras.optimizers.SGD(use_ema=True), RowwiseAdagrad(use_ema=True)
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    callback = keras.callbacks.SwapEMAWeights()
    callback.set_model(model)
    with pytest.raises(ValueError, match="SwapEMAWeights"):
        callback.on_test_begin()


def test_dense_gradients_give_the_same_table():
    by_rows = train(EmbeddingAdagrad(0.1))
    table = keras.Variable(first_table(), name="table")
    optimizer = EmbeddingAdagrad(0.1)
    for rows, values in batches():
        gradient = dense_gradient(rows, values).astype("float32")
        optimizer.apply([ops.convert_to_tensor(gradient)], [table])
    np.testing.assert_allclose(numpy_of(table), numpy_of(by_rows), atol=1e-6)


def test_tables_of_another_model_are_refused():
    optimizer = RowwiseAdagrad()
    train(optimizer)
    other = keras.Variable(first_table(), name="other")
    with pytest.raises(ValueError, match="was built for .*table.*other"):
        optimizer.apply([ops.zeros((ROWS, DIM))], [other])


@pytest.mark.parametrize("kind", [RowwiseAdagrad, EmbeddingAdagrad, LazyAdam])
def test_config_round_trip(kind):
    arguments = {
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_momentum": 0.5,
        "epsilon": 1e-3,
        "name": "mine",
    }
    optimizer = kind(0.3, **arguments)
    data = keras.saving.serialize_keras_object(optimizer)
    copy = keras.saving.deserialize_keras_object(data)
    assert type(copy) is kind
    assert copy.get_config() == optimizer.get_config()
    assert arguments.items() <= copy.get_config().items()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"clipnorm": 1.0}, "`clipnorm`.*global_clipnorm"),
        ({"global_clipnorm": 1.0}, "`global_clipnorm`.*RowSparse"),
        ({"gradient_accumulation_steps": 2}, "`gradient_accumulation_steps`"),
        ({"loss_scale_factor": 8.0}, "LossScaleOptimizer"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0"),
        ({"epsilon": float("nan")}, "epsilon=nan"),
        ({"ema_momentum": 1.0}, "ema_momentum=1.0"),
        ({"use_ema": "no"}, "`use_ema`.*'no'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [RowwiseAdagrad, EmbeddingAdagrad, LazyAdam])
def test_unsupported_arguments_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_excluding_tables_from_decay_is_refused():
    with pytest.raises(ValueError, match="`weight_decay`"):
        RowwiseAdagrad(weight_decay=0.1).exclude_from_weight_decay()


def test_reserved_slot_names_are_refused():
    class Taken(RowwiseAdagrad):
        def slots(self, table):
            return {"marks": ((table.shape[0],), 0.0)}

    with pytest.raises(ValueError, match=r"`slots`.*\['marks'\]"):
        train(Taken())
