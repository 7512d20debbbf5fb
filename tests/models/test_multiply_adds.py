"""What a prediction costs, counted on every backend and by hand."""

import keras
import numpy as np
import pytest
from keras import ops
from small_models import SETTINGS, small_model
from tiny import SMALL, plain_schema, rich_schema

from keras_infnet import models
from keras_infnet.evaluation import multiply_adds
from keras_infnet.evaluation.tensorflow_multiply_adds import UncountedError

BACKEND = keras.backend.backend()
# Keras on PyTorch runs the first step of a recurrent layer twice.
ONCE_MORE = int(BACKEND == "torch")


def count(layer, *shape, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    return multiply_adds(keras.Model(inputs, layer(inputs)))


class Layer(keras.layers.Layer):
    """Kernels `a` and `b`, `(3, 3)`, and a function of inputs and kernels."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.a = self.add_weight(shape=(3, 3))
        self.b = self.add_weight(shape=(3, 3))

    def call(self, x):
        return self.function(x, self.a, self.b)

    def compute_output_shape(self, shape):
        return shape


def test_dense_layers():
    model = keras.Sequential(
        [
            keras.Input((7,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    assert multiply_adds(model) == 7 * 5 + 5 * 2
    assert multiply_adds(model, batch_size=5) == 7 * 5 + 5 * 2
    # On each of four tokens.
    assert count(keras.layers.Dense(5), 4, 3) == 4 * 3 * 5


def test_attention():
    tokens, width, heads, size = 5, 4, 2, 3
    layer = keras.layers.MultiHeadAttention(heads, size)
    projections = 4 * tokens * width * heads * size
    scores = heads * tokens * tokens * size
    found = count(lambda x: layer(x, x), tokens, width)
    assert found == projections + 2 * scores


def test_convolutions():
    # Places of the result, size of the kernel, channels in and out.
    layer = keras.layers.Conv1D(4, 3, padding="same")
    assert count(layer, 7, 2) == 7 * 3 * 2 * 4
    layer = keras.layers.Conv2D(5, (2, 3))
    assert count(layer, 6, 7, 2) == (5 * 5) * (2 * 3) * 2 * 5
    layer = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)
    assert count(layer, 6, 6, 2) == (4 * 4) * (3 * 3) * 2 * 2


def test_recurrent_layers_count_every_step():
    layer = keras.layers.GRU(5, use_cudnn=False)
    step = 3 * 5 * (4 + 5)  # three gates read the event and the state
    assert count(layer, 7, 4) == (7 + ONCE_MORE) * step
    both = keras.layers.Bidirectional(
        keras.layers.SimpleRNN(5, return_sequences=True)
    )
    assert count(both, 7, 4) == (7 + ONCE_MORE) * 2 * 5 * (4 + 5)


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("bij,bjk->bik", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("bihd,bjhd->bhij", [(2, 3, 4), (5, 3, 4)], 2 * 5 * 3 * 4),
        ("b...j,bj->b...", [(2, 3, 4), (4,)], 2 * 3 * 4),
        ("bi,bi->b", [(4,), (4,)], 4),
        # Summed up before it is multiplied.
        ("bij,bk->bk", [(2, 3), (5,)], 0),
        # Element-wise.
        ("bi,bj->bij", [(2,), (3,)], 0),
        ("bi,bi->bi", [(4,), (4,)], 0),
        ("bij->bi", [(2, 3)], 0),
    ],
)
def test_einsums(equation, shapes, expected):
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, ops.einsum(equation, *inputs))
    assert multiply_adds(model) == expected


def test_weights_by_weights_are_no_cost_of_a_row():
    found = count(Layer(lambda x, a, b: ops.matmul(x, ops.matmul(a, b))), 3)
    assert found == 3 * 3
    found = count(Layer(lambda x, a, b: ops.matmul(x, a) @ b), 3)
    assert found == 2 * 3 * 3


def test_loops_and_branches():
    def five_times(x, a, b):
        return ops.fori_loop(0, 5, lambda _, y: ops.matmul(y, a), x)

    assert count(Layer(five_times), 3) == 5 * 3 * 3

    def nested(x, a, b):
        return ops.fori_loop(0, 2, lambda _, y: five_times(y, a, b), x)

    assert count(Layer(nested), 3) == 10 * 3 * 3

    def branches(x, a, b):
        return ops.cond(
            ops.sum(x) < 1.0,
            lambda: ops.matmul(ops.matmul(x, a), b),
            lambda: ops.matmul(x, a),
        )

    assert count(Layer(branches), 3) == 2 * 3 * 3


@pytest.mark.skipif(BACKEND == "torch", reason="counts what it runs")
def test_loops_that_the_data_end_are_refused():
    def until(x, a, b):
        return ops.while_loop(
            lambda y: ops.sum(y) < 1.0, lambda y: (ops.matmul(y, a),), (x,)
        )[0]

    with pytest.raises(UncountedError, match="depends on the data"):
        count(Layer(until), 3)

    def harmless(x, a, b):
        return ops.while_loop(
            lambda y: ops.sum(y) < 1.0, lambda y: (y + 1.0,), (x,)
        )[0]

    assert count(Layer(harmless), 3) == 0


@pytest.mark.skipif(BACKEND == "torch", reason="counts what it runs")
def test_hidden_products_are_refused():
    def call_back(x, a, b):
        if BACKEND == "jax":
            import jax

            return jax.pure_callback(lambda y: y, x, x)
        import tensorflow as tf

        return tf.ensure_shape(
            tf.numpy_function(lambda y: y, [x], tf.float32), x.shape
        )

    with pytest.raises(UncountedError, match="hides its products"):
        count(Layer(call_back), 3)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="functional models.*Received: Model"):
        multiply_adds(keras.Model())
    inputs = keras.Input((None, 3), name="events")
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with pytest.raises(ValueError, match=r"'events'.*\(None, None, 3\)"):
        multiply_adds(model)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        multiply_adds(model, batch_size=0)


FIELDS, EVENTS, TASKS = 2, 4, 2  # of `plain_schema`, one id an event


def test_shared_bottom_by_hand():
    model = small_model("SharedBottom", plain_schema())
    pooling = EVENTS * 3
    bottom = (FIELDS + 1) * 3 * 6
    towers = TASKS * (6 * 5 + 5)
    assert multiply_adds(model) == pooling + bottom + towers


def test_dien_by_hand():
    model = small_model("DIEN_gru", plain_schema())
    step = 3 * 3 * (3 + 3)  # three gates, of events and states of width 3
    recurrent = 2 * (EVENTS + ONCE_MORE) * step
    bottom = (FIELDS + 1) * 3 * 5
    towers = TASKS * (5 * 5 + 5)
    assert multiply_adds(model) == recurrent + bottom + towers


def mlp(*widths):
    return int(np.dot(widths[:-1], widths[1:]))


def test_infnet_by_hand():
    """The hub variant, its keys and values projected."""
    model = models.INFNet(plain_schema(), **SMALL, num_blocks=2, fold=False)
    dim, hidden = 6, 12
    hubs = {"categorical": 3, "sequence": 1, "task": TASKS + 2}
    tokens = {"categorical": FIELDS, "sequence": EVENTS, "task": TASKS}

    def block(updated):
        readers = sum(hubs[group] for group in updated)
        queries = readers * dim * dim
        sources = sum(
            2 * count * dim * dim + 2 * readers * count * dim
            for count in tokens.values()
        )
        fused = readers * (3 * dim) * dim
        units = sum(
            mlp(hubs[group] * dim, hidden, 2 * dim) for group in updated
        )
        return queries + sources + fused + units

    events = EVENTS * dim * dim
    first_hubs = mlp(FIELDS * dim, hidden, hubs["categorical"] * dim)
    first_hubs += EVENTS * dim * dim + EVENTS * dim + dim * dim
    towers = TASKS * mlp(dim, 5, 1)
    expected = events + first_hubs + block(hubs) + block(["task"]) + towers
    assert multiply_adds(model) == expected


@pytest.mark.parametrize("label", models.model_names())
def test_every_model_can_be_counted(label):
    assert label in SETTINGS
    found = multiply_adds(small_model(label, rich_schema()))
    assert isinstance(found, int) and found > 0
