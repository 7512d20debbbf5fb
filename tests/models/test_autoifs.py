"""AutoIFS against a forward pass in NumPy, and what its paper implies."""

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from keras import ops
from numpy_baselines import dense, embedded, sigmoid, silu, weights_of
from small_models import small_model
from tiny import NOT_ON_JAX, predictions, random_batch, random_labels, randomize

from keras_infnet.losses import task_losses
from keras_infnet.models import AutoIFS
from keras_infnet.schema import Behavior, Categorical, Schema, Task


def make_schema(num_tasks=2, num_scenarios=3):
    return Schema(
        [
            Categorical("user", hash_buckets=11),
            Categorical("item", hash_buckets=13),
            Categorical("tab"),
        ],
        [Task(f"task_{i}") for i in range(num_tasks)],
        behaviors=[Behavior("clicks", ["item"], max_length=4)],
        scenario="tab",
        table_sizes={"tab": num_scenarios + 1},
    )


SCHEMA = make_schema()


def make_model(schema=SCHEMA, **settings):
    return small_model("AutoIFS", schema, l2=0.0, **settings)


def vectors(model, batch, name="embedding"):
    """User, item, tab and the mean of clicks, side by side."""
    for rows in embedded(model, batch, ("user", "item", "tab"), name):
        yield rows.reshape(-1)


def mlp(x, w, name, act):
    i = 0
    while f"{name}/hidden_{i}/kernel" in w:
        x = act(dense(x, w, f"{name}/hidden_{i}"))
        i += 1
    return x


def relu(x):
    return np.maximum(x, 0)


def units(x, scenario, w, act=silu):
    """Shared part, that of the scenario, and their activated sum."""
    z = mlp(x, w, "bottom", act)
    s = dense(z, w, "scenario_stage")
    k = np.zeros_like(s)
    if scenario:
        k = z @ w["scenario_stage/down_kernels"][scenario - 1]
        k = k @ w["scenario_stage/up_kernels"][scenario - 1]
        k = k + w["scenario_stage/group_biases"][scenario - 1]
    return s, k, act(s + k)


def shared_task(v, w):
    return dense(v, w, "task_stage")[0]


def own_task(v, m, w):
    low = v @ w["task_stage/down_kernels"][m]
    return (low @ w["task_stage/up_kernels"][m])[0] + w[
        "task_stage/group_biases"
    ][m, 0]


def flows(s, k, m, w):
    return np.array(
        [
            shared_task(s, w),
            own_task(k, m, w),
            own_task(s, m, w),
            shared_task(k, w),
        ]
    )


def scores(x, scenario, w, granularity):
    if granularity == "instance":
        x = mlp(x, w, "flow_gates/scores", silu)
        return dense(x, w, "flow_gates/scores/output").reshape(-1, 4)
    table = w["flow_gates/table"]
    row = table[scenario - 1] if scenario else np.zeros(table.shape[1])
    return row.reshape(-1, 4)


def logit(x, scenario, m, gates, w, pruning="subtract"):
    s, k, u = units(x, scenario, w)
    if pruning == "sum":
        return np.sum((1 - gates) * flows(s, k, m, w))
    whole = shared_task(u, w) + own_task(u, m, w)
    return whole - np.sum(gates * flows(s, k, m, w))


@pytest.mark.parametrize(
    "num_tasks, num_scenarios",
    [
        (2, 3),
        pytest.param(1, 5, marks=NOT_ON_JAX),
        pytest.param(3, 1, marks=NOT_ON_JAX),
    ],
)
@pytest.mark.parametrize("stage", ["search", "retrain"])
@pytest.mark.parametrize(
    ("granularity", "pruning"),
    [
        ("instance", "subtract"),
        ("scenario_task", "sum"),
        pytest.param("instance", "sum", marks=NOT_ON_JAX),
        pytest.param("scenario_task", "subtract", marks=NOT_ON_JAX),
    ],
)
def test_forward(num_tasks, num_scenarios, stage, granularity, pruning):
    schema = make_schema(num_tasks, num_scenarios)
    model = randomize(
        make_model(
            schema, stage=stage, granularity=granularity, pruning=pruning
        )
    )
    (temperature,) = (
        w for w in model.gate_weights if w.path.endswith("/temperature")
    )
    temperature.assign(1.7)
    batch = random_batch(schema, 8)
    batch["tab"][:2] = 0
    w = weights_of(model)
    read = (
        "frozen_embedding"
        if f"{stage}{granularity}" == ("retraininstance")
        else "embedding"
    )
    expected = []
    for x, seen, scenario in zip(
        vectors(model, batch),
        vectors(model, batch, read),
        batch["tab"],
        strict=True,
    ):
        score = scores(seen, scenario, w, granularity)
        gates = sigmoid(1.7 * score) if stage == "search" else 1.0 * (score > 0)
        expected.append(
            [
                sigmoid(logit(x, scenario, m, gates[m], w, pruning))
                for m in range(num_tasks)
            ]
        )
    for m, y in enumerate(predictions(model, batch).values()):
        np.testing.assert_allclose(
            y[:, 0], np.array(expected)[:, m], rtol=1e-5, atol=1e-6
        )


def test_at_first_the_shared_parts_answer_alone():
    """Whatever the scenario is, and gates lie near one half."""
    model = AutoIFS(SCHEMA)
    batch = random_batch(SCHEMA, 6)
    # The scenario is a field too: what it chooses is looked at alone.
    model.get_layer("embedding").embeddings.assign(
        0.1 * np.ones_like(weights_of(model)["embedding/embeddings"])
    )
    batch["clicks_mask"][:] = True
    first = predictions(model, batch)
    batch["tab"] = (batch["tab"] + 1) % 4
    for task, y in predictions(model, batch).items():
        np.testing.assert_allclose(y, first[task], rtol=1e-6)
    gates = model.gate_model().predict_on_batch(batch)
    assert gates.shape == (6, 2, 4) and abs(gates - 0.5).max() < 0.05
    w = weights_of(model)
    x = next(vectors(model, batch))
    s, k, u = units(x, batch["tab"][0], w, relu)
    assert not k.any()
    for m, y in enumerate(first.values()):
        whole = shared_task(u, w)
        expected = whole - gates[0, m, 0] * shared_task(s, w)
        np.testing.assert_allclose(y[0, 0], sigmoid(expected), rtol=1e-5)


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_all_flows_kept_or_removed(gate):
    """With a ReLU, removing all of them leaves the negative part."""
    model = randomize(
        make_model(activation="relu", granularity="scenario_task")
    )
    for weight in model.gate_weights:
        # No row is without a scenario below.
        if weight.path.endswith("/table"):
            weight.assign(np.full(weight.shape, 200 * gate - 100))
        else:
            weight.assign(1.0)
    batch = random_batch(SCHEMA, 6)
    batch["tab"] = np.array([1, 2, 3, 1, 2, 3], "int32")
    w = weights_of(model)
    got = predictions(model, batch)
    for i, x in enumerate(vectors(model, batch)):
        s, k, u = units(x, batch["tab"][i], w, relu)
        for m, y in enumerate(got.values()):
            expected = shared_task(u, w) + own_task(u, m, w)
            if gate:
                biases = (
                    w["task_stage/bias"][0] + w["task_stage/group_biases"][m, 0]
                )
                assert abs(biases) > 1e-3
                rest = relu(-(s + k))
                linear = shared_task(rest, w) + own_task(rest, m, w) - biases
                expected = linear - biases
            np.testing.assert_allclose(
                y[i, 0], sigmoid(expected), rtol=1e-4, atol=1e-6
            )
            # Biases are counted twice where flows are added.
            f = flows(s, k, m, w)
            np.testing.assert_allclose(
                f[0] + f[3],
                shared_task(s + k, w) + w["task_stage/bias"][0],
                rtol=1e-4,
            )
            np.testing.assert_allclose(
                f[1] + f[2],
                own_task(s + k, m, w) + w["task_stage/group_biases"][m, 0],
                rtol=1e-4,
            )


def gradients_of(model, function, paths):
    variables = {w.path: w for w in model.trainable_weights}
    _, found = value_and_gradients(function, [variables[p] for p in paths])
    return found


def test_gates_send_no_gradient_into_the_table():
    """With the gates alone as loss, nothing but their weights moves."""
    model = randomize(make_model())
    batch = random_batch(SCHEMA, 6)
    gates = model.gate_model()
    table, kernel = gradients_of(
        model,
        lambda: ops.sum(gates(batch)),
        ["embedding/embeddings", "flow_gates/scores/output/kernel"],
    )
    assert table is None or not np.abs(table).any()
    assert np.abs(kernel).max() > 0


def test_rows_of_a_scenario_leave_the_others_alone():
    model = randomize(make_model())
    batch = random_batch(SCHEMA, 6)
    batch["tab"][:] = 2
    paths = [
        f"scenario_stage/{name}"
        for name in ("down_kernels", "up_kernels", "group_biases")
    ]
    for gradient in gradients_of(
        model, lambda: ops.sum(model(batch)["task_0"]), paths
    ):
        assert np.abs(gradient[1]).max() > 0
        assert not np.abs(gradient[[0, 2]]).any()


def test_a_batch_without_labels_of_a_task_leaves_its_part_alone():
    model = randomize(make_model())
    model.compile("sgd", loss=task_losses(SCHEMA))
    batch, labels = random_batch(SCHEMA, 6), random_labels(SCHEMA, 6)
    weights = {
        "task_0": np.ones(6, "float32"),
        "task_1": np.zeros(6, "float32"),
    }
    paths = [
        f"task_stage/{name}"
        for name in ("down_kernels", "up_kernels", "group_biases")
    ]
    for gradient in gradients_of(
        model,
        lambda: model.compute_loss(
            x=batch, y=labels, y_pred=model(batch), sample_weight=weights
        ),
        paths,
    ):
        assert np.abs(gradient[0]).max() > 0
        assert not np.abs(gradient[1]).any()


def test_unknown_scenarios_are_answered_by_the_shared_parts():
    """`(batch,)` and `(batch, 1)` agree, too."""
    model = randomize(make_model())
    batch = random_batch(SCHEMA, 4)
    batch["tab"][:] = 0
    before = predictions(model, batch)
    for weight in model.get_layer("scenario_stage").weights[2:]:
        weight.assign(ops.zeros(weight.shape))
    for task, y in predictions(model, batch).items():
        np.testing.assert_array_equal(y, before[task])
    column = {**batch, "tab": batch["tab"][:, None]}
    for task, y in model.predict(column, verbose=0).items():
        np.testing.assert_allclose(y, before[task], rtol=1e-6)


@pytest.mark.parametrize("penalty", [0.3, {"task_1": 0.3}])
def test_penalties_by_hand(penalty):
    model = randomize(make_model(gate_penalty=penalty))
    batch = random_batch(SCHEMA, 5)
    model(batch)
    (loss,) = model.losses
    gates = model.gate_model().predict_on_batch(batch)
    each = 0.3 * gates.mean(axis=(0, 2))
    expected = each[1] if isinstance(penalty, dict) else each.sum()
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-5)


@pytest.mark.parametrize("embeddings", ["dense", None])
def test_l2_is_on_all_weights_but_gates(embeddings):
    """Tables have it where they are trained as a whole."""
    model = randomize(
        small_model("AutoIFS", SCHEMA, l2=0.02, loss_weighting="uncertainty")
    )
    assert model.uncertainty.weights
    model.compile(
        "adam", loss=task_losses(SCHEMA), embedding_optimizer=embeddings
    )
    w = weights_of(model)
    total = sum(
        np.sum(value.astype("float64") ** 2)
        for path, value in w.items()
        if not path.startswith(("flow_gates", "uncertainty"))
        and (embeddings or not path.startswith("embedding"))
    )
    np.testing.assert_allclose(
        sum(map(ops.convert_to_numpy, model.losses)), 0.01 * total, rtol=1e-5
    )


def test_first_values():
    """Torch's and Glorot's rules, of one matrix each."""
    keras.utils.set_random_seed(0)
    model = AutoIFS(SCHEMA, hidden_dims=(700, 400), scenario_dim=100)
    w = weights_of(model)
    table = w["embedding/embeddings"]
    limit = (6 / (11 + 1 + 13 + 1 + 4 + 16)) ** 0.5
    assert limit * 0.9 < np.abs(table).max() <= limit
    kernel = w["bottom/hidden_1/kernel"]
    assert 0.98 * 700**-0.5 < np.abs(kernel).max() <= 700**-0.5
    down = w["scenario_stage/down_kernels"]
    # One call for all three would give 0.036 or 0.044.
    assert np.std(down) == pytest.approx((2 / (400 + 2)) ** 0.5, rel=0.05)
    assert not np.array_equal(down[0], down[1])
    for name in ("up_kernels", "group_biases", "bias"):
        assert not w[f"scenario_stage/{name}"].any()


def test_sizes_of_the_paper():
    """The table of weights for 3 scenarios, 2 tasks and 8 fields."""
    schema = Schema(
        [Categorical(f"f{i}", hash_buckets=5) for i in range(7)]
        + [Categorical("tab")],
        [Task("click"), Task("like")],
        scenario="tab",
        table_sizes={"tab": 4},
    )
    model = AutoIFS(schema)
    w = weights_of(model)

    def count(*prefixes):
        return sum(v.size for path, v in w.items() if path.startswith(prefixes))

    assert count("bottom") == 656_896
    assert count("scenario_stage/kernel", "scenario_stage/bias") == 131_328
    assert count("task_stage/kernel", "task_stage/bias") == 257
    assert count("scenario_stage", "task_stage") == 131_328 + 257 + 6_406
    assert count("flow_gates") == 656_896 + 4_104 + 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pruning": "add"}, "'subtract', 'sum'"),
        ({"granularity": "row"}, "'instance', 'scenario_task'"),
        ({"stage": "serve"}, "'search', 'retrain'"),
        ({"rank": 0}, "`rank`"),
        ({"hidden_dims": ()}, "`hidden_dims`"),
        ({"l2": -1.0}, "`l2`"),
        ({"gate_penalty": {"task_9": 0.1}}, "'task_9'"),
        ({"gate_penalty": float("nan")}, "gate_penalty"),
        ({"schema": make_schema(num_scenarios=0)}, "has a value of 'tab'"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        AutoIFS(**{"schema": SCHEMA, **settings})
