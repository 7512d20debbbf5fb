"""Training by rows through `compile` and `fit`."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny import NOT_ON_JAX

from keras_infnet import Behavior, Categorical, Schema, Task
from keras_infnet.losses import task_losses
from keras_infnet.models import INFNet
from keras_infnet.optimizers import (
    EmbeddingAdagrad,
    EmbeddingOptimizer,
    LazyAdam,
    RowSparseOptimizer,
    RowwiseAdagrad,
)

ON = keras.backend.backend()
SIZES = {"user": 9, "item": 12, "tag": 5}


def make_schema(**sizes):
    return Schema(
        [
            Categorical("user"),
            Categorical("item"),
            Categorical("tag", multivalued=True, max_values=3),
        ],
        [Task("click"), Task("like")],
        behaviors=[Behavior("clicks", ["item", "tag"], max_length=4)],
        table_sizes={**SIZES, **sizes},
    )


SCHEMA = make_schema()


def make_model(schema=SCHEMA, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {"num_categorical_tokens": 2, "tower_dims": (4,), **arguments}
    return INFNet(schema, token_dim=4, num_blocks=1, **arguments)


def batch(seed, size=16):
    rng = np.random.default_rng(seed)

    def ids(name, *shape):
        return rng.integers(0, SIZES[name], (size, *shape)).astype("int32")

    inputs = {
        "user": ids("user"),
        "item": ids("item"),
        "tag": ids("tag", 3),
        "clicks_item": ids("item", 4),
        "clicks_tag": ids("tag", 4, 3),
        "clicks_mask": rng.random((size, 4)) < 0.7,
    }
    labels = {
        name: rng.integers(0, 2, (size, 1)).astype("float32")
        for name in SCHEMA.task_names
    }
    return inputs, labels


def compiled(model, optimizer, graph=False, **arguments):
    """TensorFlow takes longer to trace a step than to run a few eagerly."""
    model.compile(
        optimizer,
        loss=task_losses(SCHEMA),
        run_eagerly=ON == "tensorflow" and not graph,
        **arguments,
    )
    return model


def train(model, steps=12):
    for step in range(steps):
        model.train_on_batch(*batch(step % 5))
    return [ops.convert_to_numpy(v) for v in model.trainable_variables]


def table_of(model):
    return ops.convert_to_numpy(model.get_layer("embedding").embeddings)


@pytest.mark.parametrize(
    "users, arguments",
    # More rows than a batch has places, and fewer.
    [(3_000, {}), (9, {}), (9, {"jit_compile": True})],
    ids=str,
)
def test_follows_gradients_of_the_whole_table(users, arguments):
    """SGD on dense weights; Adagrad by rows against Adagrad on all rows."""
    if ON == "torch" and arguments:
        pytest.skip("torch.compile takes a minute")
    schema = make_schema(user=users)
    by_rows = compiled(
        make_model(schema),
        keras.optimizers.SGD(0.1),
        graph=True,
        embedding_optimizer=EmbeddingAdagrad(0.1),
        **arguments,
    )
    whole = compiled(
        make_model(schema),
        keras.optimizers.MultiOptimizer(
            keras.optimizers.OptimizerMap(
                keras.optimizers.SGD(0.1),
                {"embedding/embeddings": EmbeddingAdagrad(0.1)},
            )
        ),
        graph=True,
        embedding_optimizer="dense",
    )
    for left, right in zip(train(by_rows), train(whole), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_keras_on_tensorflow_squares_repeated_rows_one_by_one():
    """Why tables need optimizers of their own, beside speed."""
    arguments = {"initial_accumulator_value": 0.01, "epsilon": 1e-7}
    stock = keras.optimizers.Adagrad(0.1, **arguments)
    own = EmbeddingAdagrad(0.1, **arguments)
    tables = []
    for optimizer in (stock, own):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((), dtype="int32")
        outputs = keras.layers.Embedding(4, 2)(inputs)
        model = keras.Model(inputs, ops.sum(outputs, axis=-1))
        model.compile(optimizer, loss="mse")
        model.train_on_batch(np.array([1, 1, 1, 2]), np.ones(4, "float32"))
        tables.append(ops.convert_to_numpy(model.weights[0]))
    stock, own = tables
    np.testing.assert_allclose(stock[2], own[2], atol=1e-6)
    if ON == "tensorflow":
        if np.allclose(stock[1], own[1], atol=1e-6):
            pytest.skip("this Keras adds up repeated rows")
        assert abs(stock[1] - own[1]).max() > 1e-3
    else:
        np.testing.assert_allclose(stock[1], own[1], atol=1e-6)


def test_only_rows_that_were_read_change():
    model = compiled(make_model(), "adamw")
    before = table_of(model).copy()
    inputs, labels = batch(0)
    inputs = {name: np.minimum(x, 1) for name, x in inputs.items()}
    inputs["clicks_mask"] = inputs["clicks_mask"].astype(bool)
    model.train_on_batch(inputs, labels)
    changed = (table_of(model) != before).any(axis=1)
    offsets = np.cumsum([0, *SIZES.values()])[:3]
    read = {int(start + i) for start in offsets for i in (0, 1)}
    assert set(np.flatnonzero(changed)) == read


def test_no_gradient_is_as_large_as_the_table():
    """The gradient that the optimizer gets has a row for every place."""
    if ON == "jax":
        pytest.skip("of a table smaller than the batch the gradient is whole")
    received = []

    class Recorder(RowwiseAdagrad):
        def add_up(self, grads, tables=None):
            received.extend(grads)
            return super().add_up(grads, tables)

    model = make_model()
    model.compile(
        "sgd",
        loss=task_losses(SCHEMA),
        embedding_optimizer=Recorder(),
        run_eagerly=True,
    )
    model.train_on_batch(*batch(0))
    (gradient,) = received
    places = 16 * (2 + 3 + 4 * (1 + 3))
    assert sum(len(rows) for rows in gradient.rows) == places
    for rows, values in zip(gradient.rows, gradient.values, strict=True):
        assert tuple(values.shape) == (len(rows), 4)


class GradientDescent(EmbeddingOptimizer):
    """What anybody could add."""

    def slots(self, table):
        return {}

    def update(self, rows, gradients, state, learning_rate):
        return rows - learning_rate * gradients, {}


def test_all_gradients_are_clipped_together():
    """Twice the loss with clipping moves as much as once."""
    results = []
    for factor in (1.0, 3.0):
        model = make_model()
        model.compile(
            RowSparseOptimizer(
                keras.optimizers.SGD(1.0),
                GradientDescent(1.0),
                global_clipnorm=0.01,
            ),
            loss=task_losses(SCHEMA),
            loss_weights=dict.fromkeys(SCHEMA.task_names, factor),
        )
        before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
        after = train(model, steps=1)
        moved = [new - old for new, old in zip(after, before, strict=True)]
        squares = [(part.astype("float64") ** 2).sum() for part in moved]
        assert squares[0] > 0  # the table
        results.append(np.sqrt(sum(squares)))
    np.testing.assert_allclose(results, 0.01, rtol=1e-4)


def test_steps_that_are_not_finite_change_nothing():
    model = compiled(make_model(dtype="mixed_float16"), "adamw")
    before = train(model, steps=1)
    model.optimizer.dense.dynamic_scale.assign(float("inf"))
    model.train_on_batch(*batch(1))
    after = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)
    model.optimizer.dense.dynamic_scale.assign(8.0)
    model.train_on_batch(*batch(1))
    assert (table_of(model) != before[0]).any()


def test_loss_scale_does_not_change_the_steps():
    plain = compiled(make_model(), keras.optimizers.SGD(0.1))
    scaled = compiled(
        make_model(),
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1), initial_scale=1024.0
        ),
    )
    for left, right in zip(train(plain, 3), train(scaled, 3), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize(
    "embedding",
    [LazyAdam(1e-30), pytest.param("dense", marks=NOT_ON_JAX)],
    ids=["by rows", "dense"],
)
def test_dropout_acts_in_training_and_nowhere_else(embedding):
    model = make_model(dropout=0.5)
    compiled(model, keras.optimizers.SGD(0.0), embedding_optimizer=embedding)
    x, y = batch(0)
    fits = [model.fit(x, y, verbose=0).history["loss"][0] for _ in range(4)]
    assert len(set(fits)) == 4
    evaluated = [model.evaluate(x, y, verbose=0)[0] for _ in range(2)]
    np.testing.assert_allclose(*evaluated, rtol=1e-6)


def test_steps_per_execution():
    if ON == "torch":
        pytest.skip("Keras has none on PyTorch")
    results = []
    for steps in (1, 4):
        model = compiled(
            make_model(), "adamw", graph=True, steps_per_execution=steps
        )
        inputs, labels = batch(0, size=64)
        model.fit(inputs, labels, batch_size=8, shuffle=False, verbose=0)
        results.append(table_of(model))
    np.testing.assert_allclose(*results, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer, embedding",
    [
        ("adamw", None),
        pytest.param("adamw", LazyAdam(0.02, use_ema=True), marks=NOT_ON_JAX),
        pytest.param("sgd", "dense", marks=NOT_ON_JAX),
    ],
    ids=["row-wise", "lazy adam", "dense"],
)
def test_a_saved_model_goes_on_training_as_before(
    tmp_path, optimizer, embedding
):
    model = compiled(make_model(), optimizer, embedding_optimizer=embedding)
    train(model, steps=3)
    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.models.load_model(path)
    assert type(copy.optimizer) is type(model.optimizer)
    model.train_on_batch(*batch(7))
    copy.train_on_batch(*batch(7))
    np.testing.assert_array_equal(table_of(copy), table_of(model))


@pytest.mark.parametrize(
    "optimizer, embedding, message",
    [
        ("adamw", "adagrad", "'dense' beside a plain Keras optimizer"),
        ("adamw", keras.optimizers.Adagrad, "`embedding` must be"),
        (RowSparseOptimizer, RowwiseAdagrad, "has an optimizer for the tables"),
        (RowSparseOptimizer, "dense", "beside a plain Keras optimizer"),
    ],
    ids=str,
)
def test_wrong_optimizers_are_refused(optimizer, embedding, message):
    made = [
        part() if isinstance(part, type) else part
        for part in (optimizer, embedding)
    ]
    with pytest.raises(ValueError, match=message):
        make_model().compile(made[0], embedding_optimizer=made[1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"gradient_accumulation_steps": 2}, "Use a larger batch"),
        ({"loss_scale_factor": 4.0}, "LossScaleOptimizer"),
    ],
    ids=str,
)
def test_what_tables_do_not_have_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model().compile(keras.optimizers.AdamW(**arguments))


def test_optimizers_are_not_nested():
    with pytest.raises(ValueError, match="plain Keras.*RowwiseAdagrad"):
        RowSparseOptimizer(RowwiseAdagrad())


def test_rate_and_clipnorm_are_those_of_the_dense_optimizer():
    sgd = keras.optimizers.SGD(0.5, global_clipnorm=0.5)
    optimizer = RowSparseOptimizer(sgd)
    assert optimizer.global_clipnorm == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.dense.learning_rate) == 0.25
    assert float(optimizer.embedding.learning_rate) != 0.25


def test_an_optimizer_serves_one_model():
    """A second model would move the table of the first."""
    optimizer = RowwiseAdagrad()
    first, second = make_model(), make_model()
    for model in (first, second):
        compiled(model, "sgd", embedding_optimizer=optimizer)
    train(first, steps=1)
    before = table_of(first).copy()
    with pytest.raises(ValueError, match="RowwiseAdagrad was built for"):
        train(second, steps=1)
    np.testing.assert_array_equal(table_of(first), before)


def test_freezing_needs_another_compile():
    model = compiled(make_model(), "sgd")
    model.optimizer.build(model.trainable_variables)
    model.get_layer("click").trainable = False
    with pytest.raises(ValueError, match="call `compile` again"):
        train(model, steps=1)


def test_a_frozen_table_stays_and_is_saved_as_such(tmp_path):
    model = make_model()
    model.get_layer("embedding").trainable = False
    compiled(model, "adamw")
    before, table = model.get_weights(), table_of(model).copy()
    train(model, steps=2)
    np.testing.assert_array_equal(table_of(model), table)
    moved = [
        (new != old).any()
        for new, old in zip(model.get_weights(), before, strict=True)
    ]
    assert any(moved)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert not copy.get_layer("embedding").trainable
    model.train_on_batch(*batch(7))
    copy.train_on_batch(*batch(7))
    for left, right in zip(
        model.get_weights(), copy.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_a_last_table_of_one_row():
    """Keras builds models on PyTorch with ids of 1."""
    schema = Schema(
        [Categorical("user"), Categorical("empty")],
        [Task("click")],
        table_sizes={"user": 7, "empty": 1},
    )
    model = make_model(schema)
    model.compile("adam", loss=task_losses(schema))
    inputs = {"user": np.arange(4), "empty": np.zeros(4, "int32")}
    history = model.fit(inputs, {"click": np.ones((4, 1))}, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
