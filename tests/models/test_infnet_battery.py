"""Settings of INFNet through `check_ranker`, and its own promises."""

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from keras import ops
from tiny import (
    NOT_ON_JAX,
    SMALL,
    assert_same_predictions,
    compile_model,
    plain_schema,
    predictions,
    random_batch,
    random_labels,
    randomize,
    rich_schema,
)

from keras_infnet.models import INFNet
from keras_infnet.schema import Behavior, Categorical, Schema, Task
from keras_infnet.testing import check_ranker

VARIANTS = pytest.mark.parametrize("variant", ["hub", "proxy"])
ABLATIONS = [
    ("hubs",),
    *(
        pytest.param(ablate, marks=NOT_ON_JAX)
        for ablate in (
            ("task",),
            ("aggregate",),
            ("broadcast",),
            ("task", "broadcast"),
            ("task", "hubs"),
            ("broadcast", "hubs"),
            ("task", "broadcast", "hubs"),
        )
    ),
]


def small(schema, **settings):
    # No unit of "silu" is ever dead, so every gradient shows.
    return INFNet(schema, **{**SMALL, "activation": "silu", **settings})


def check(**settings):
    schema = rich_schema()
    check_ranker(lambda: small(schema, **settings), schema, quick=True)


@VARIANTS
@pytest.mark.parametrize("ablate", ABLATIONS, ids=str)
def test_ablations_keep_the_promises(variant, ablate):
    """Above all: a gradient reaches every weight that is left."""
    check(variant=variant, ablate=ablate)


@NOT_ON_JAX
@VARIANTS
@pytest.mark.parametrize(
    "ablate", ["broadcast", (), "task", "aggregate"], ids=str
)
def test_towers_that_read_all_keep_the_promises(variant, ablate):
    check(tower_inputs="all", variant=variant, ablate=ablate)


@NOT_ON_JAX
@pytest.mark.parametrize("start", ["mean", "random"])
@pytest.mark.parametrize("count", [3, 7])
def test_other_hubs_keep_the_promises(start, count):
    """Fewer hubs than fields, and more."""
    check(hub_initialization=start, num_categorical_tokens=count)


@NOT_ON_JAX
@VARIANTS
def test_one_block_has_no_dead_weight(variant):
    check(variant=variant, num_blocks=1)


class Repeated(keras.utils.PyDataset):
    """One batch, twice."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.batch


def test_wrong_keys_are_named():
    """Of inputs, labels and weights, before anything has changed."""
    schema = plain_schema()
    model = compile_model(small(schema))
    batch, labels = random_batch(schema), random_labels(schema)
    before = predictions(model, batch)
    short = {key: x for key, x in batch.items() if key != "user"}
    for x, key in (
        ({**batch, "surplus": batch["user"]}, "surplus"),
        (short, "user"),
    ):
        for use in (
            lambda x: model.predict(Repeated((x,)), verbose=0),
            lambda x: model.fit(Repeated((x, labels)), verbose=0),
            lambda x: model.fit(x, labels, verbose=0),
            lambda x: model.evaluate(x, labels, verbose=0),
            lambda x: model.train_on_batch(x, labels),
        ):
            with pytest.raises(ValueError, match=key):
                use(x)
    weights = {task: np.ones(5, "float32") for task in labels}
    one = labels["task_0"]
    for y, w, key in (
        ({**labels, "surplus": one}, weights, "surplus"),
        ({"task_1": one}, weights, "task_0"),
        (one, weights, "task_0"),
        (labels, {**weights, "surplus": one}, "surplus"),
        (labels, {"task_1": one}, "task_0"),
    ):
        with pytest.raises(ValueError, match=key):
            model.fit(batch, y, sample_weight=w, verbose=0)
    assert_same_predictions(predictions(model, batch), before)
    assert_same_predictions(
        model.predict(Repeated((batch,)), verbose=0),
        {task: np.concatenate([y, y]) for task, y in before.items()},
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_block": 6}, "argument of INFNet 'num_block'.*'num_blocks'"),
        ({"dropout": "0.1"}, "`dropout` of INFNet must be a number"),
        ({"tower_dims": 64}, "`tower_dims` of INFNet must be a list of int"),
        ({"residual": "no"}, "`residual` of INFNet must be true or false"),
        ({"token_dim": 8.0}, "`token_dim` of INFNet must be an integer"),
        ({"ablate": None}, "`ablate` of INFNet must be a string or a list"),
    ],
)
def test_arguments_are_checked_by_name_and_kind(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(plain_schema(), **arguments)
    with pytest.raises(ValueError, match=message):
        INFNet.from_preset("small", plain_schema(), **arguments)


@pytest.mark.parametrize("name", ["embedding", "block_0", "task_tokens"])
def test_names_of_layers_are_not_for_the_schema(name):
    schema = Schema(
        [Categorical("item")], [Task(name)], table_sizes={"item": 5}
    )
    message = f"'{name}' is the name of a layer of INFNet.*Rename"
    with pytest.raises(ValueError, match=message):
        small(schema, num_blocks=1)


@pytest.mark.parametrize(
    ("missing", "loss_weighting"),
    [("weight", "uncertainty"), ("label", "fixed")],
)
def test_a_missing_label_equals_dropping_the_row(missing, loss_weighting):
    schema = rich_schema()
    batch, labels = random_batch(schema, 6), random_labels(schema, 6)
    gone = {"click": [0, 3], "watch": [1], "like": [0, 1, 2, 3, 4, 5]}
    model = compile_model(
        randomize(small(schema, loss_weighting=loss_weighting)),
        run_eagerly=True,
    )
    weights = {task: np.ones(6, "float32") for task in labels}
    for task, rows in gone.items():
        if missing == "weight":
            weights[task][rows] = 0.0
        else:
            labels[task][rows] = np.nan

    def loss(y=labels, w=weights):
        outputs = model(batch)
        y = {task: ops.convert_to_tensor(v) for task, v in y.items()}
        w = {task: ops.convert_to_tensor(v) for task, v in w.items()}
        return model.compute_loss(batch, y, outputs, w)

    got, found = value_and_gradients(loss, model.trainable_weights)
    outputs, parts = predictions(model, batch), []
    for task in schema.tasks:
        kept = np.setdiff1d(np.arange(6), gone[task.name])
        p = outputs[task.name][kept, 0].astype("float64")
        y = labels[task.name][kept]
        if task.kind == "regression":
            error = (p - y) ** 2
        else:
            error = -y * np.log(p) - (1 - y) * np.log(1 - p)
        parts.append(error.mean() if len(kept) else 0.0)
    if loss_weighting == "uncertainty":
        s = ops.convert_to_numpy(model.uncertainty.log_variances)
        scale = np.array([1.0, 0.5, 1.0])  # half for regression
        parts = scale * np.exp(-s) * parts + s / 2
    np.testing.assert_allclose(got, np.sum(parts), rtol=1e-5)
    assert all(g is None or np.isfinite(g).all() for g in found)


def test_uncertainty_weighting_is_trained_and_saved(tmp_path):
    schema = rich_schema()
    model = small(schema, loss_weighting="uncertainty", num_blocks=1)
    variances = model.uncertainty.log_variances
    assert any(w is variances for w in model.trainable_weights)
    compile_model(model).fit(
        random_batch(schema), random_labels(schema), verbose=0
    )
    learned = ops.convert_to_numpy(variances)
    assert (learned != 0).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded.uncertainty.log_variances), learned
    )


@VARIANTS
def test_the_order_of_events_is_positions_alone(variant):
    schema = rich_schema()
    batch = random_batch(schema)
    changed = dict(batch)
    for behavior in schema.behaviors:
        for name in behavior.inputs:
            changed[name] = batch[name][:, ::-1].copy()
    options = {"use_positions": False, "use_time_gaps": False}
    model = randomize(small(schema, variant=variant, **options))
    assert_same_predictions(
        predictions(model, changed), predictions(model, batch)
    )
    model = randomize(small(schema, variant=variant))
    before, after = predictions(model, batch), predictions(model, changed)
    assert np.abs(before["click"][:-1] - after["click"][:-1]).max() > 1e-4


@VARIANTS
def test_the_order_of_fields_matters(variant):
    """Two fields of one table are told apart."""
    schema = Schema(
        fields=[
            Categorical("seen", hash_buckets=11, table="item"),
            Categorical("item", hash_buckets=11),
        ],
        tasks=[Task("click"), Task("like")],
    )
    batch = random_batch(schema)
    changed = {"seen": batch["item"], "item": batch["seen"]}
    model = randomize(small(schema, variant=variant))
    before, after = predictions(model, batch), predictions(model, changed)
    assert np.abs(before["click"] - after["click"]).max() > 1e-4


ONE_OF_ALL = Schema(
    fields=[Categorical("item", hash_buckets=7)],
    behaviors=[Behavior("clicks", ["item"], max_length=1)],
    tasks=[Task("click")],
)


@NOT_ON_JAX
@VARIANTS
@pytest.mark.parametrize(
    "schema",
    [
        plain_schema(behaviors=()),
        plain_schema(num_tasks=1),
        ONE_OF_ALL,
        Schema([Categorical("item", hash_buckets=7)], [Task("click")]),
    ],
    ids=["no_behaviors", "one_task", "one_of_all", "one_field"],
)
def test_small_schemas(variant, schema):
    check_ranker(lambda: small(schema, variant=variant), schema, quick=True)


def test_presets():
    model = INFNet.from_preset("small", plain_schema(), num_blocks=1)
    assert model.settings["token_dim"] == 32
    assert model.settings["num_blocks"] == 1
    assert set(INFNet.presets) == {"small", "base"}
    with pytest.raises(ValueError, match="Did you mean 'small'"):
        INFNet.from_preset("smal", plain_schema())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "hubs"}, "Did you mean 'hub'"),
        ({"ablate": "tasks"}, "Did you mean 'task'"),
        ({"ablate": ("aggregate", "hubs")}, "cannot hold both"),
        ({"hub_initialization": "zero"}, "'mlp', 'mean', 'random'"),
        (
            {"hub_initialization": "mean", "variant": "proxy"},
            "only variant='hub'",
        ),
        (
            {"hub_initialization": "random", "ablate": "aggregate"},
            "the same for every row",
        ),
        ({"tower_inputs": "hubs"}, "'task', 'all'"),
        ({"tower_inputs": "all", "ablate": "hubs"}, "give tower_inputs=.task."),
        ({"token_dim": 0}, "`token_dim`"),
        ({"token_dim": 8.0}, "`token_dim`"),
        ({"num_blocks": 0}, "`num_blocks`"),
        ({"expansion": -1}, "`expansion`"),
        ({"num_categorical_tokens": 0}, "`num_categorical_tokens`"),
        ({"num_shared_tokens": -1}, "`num_shared_tokens`"),
        ({"variant": "proxy", "num_shared_tokens": 0}, "`num_shared_tokens`"),
        ({"num_heads": 5}, "`num_heads`"),
        ({"tower_dims": (0,)}, "`tower_dims`"),
        ({"dropout": 1.5}, "`dropout`"),
        ({"loss_weighting": "learned"}, "`loss_weighting`"),
        ({"activation": "rely"}, "rely"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small(plain_schema(), **settings)


def test_the_schema_must_be_fitted():
    schema = Schema([Categorical("item")], [Task("click")])
    with pytest.raises(ValueError, match="size of table 'item'"):
        small(schema)


def test_proxies_need_another_group():
    with pytest.raises(ValueError, match="Use variant='hub'"):
        small(plain_schema(behaviors=()), variant="proxy", ablate="task")


def test_inputs_must_be_a_dict():
    with pytest.raises(ValueError, match="must be a dict"):
        small(plain_schema())([np.zeros(2), np.zeros(2)])
