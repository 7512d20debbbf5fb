"""Every model through `check_ranker`, and what all of them must do."""

import inspect

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from ranker_battery import check_fit, check_ranker, compile_model
from small_models import SETTINGS, small_model
from tiny import random_batch, random_labels, randomize, rich_schema

from keras_infnet import models
from keras_infnet.schema import Categorical, Schema, Task

# One of each model; the other labels are variants of it.
FIRST = [label for label in SETTINGS if "_" not in label]
FILES = [
    label
    for label in SETTINGS
    if "INFNet" not in label and (label in FIRST or "trunk" in label)
]
# Compiling takes JAX long; its predictions are compared elsewhere.
NOT_ON_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="says little more on JAX"
)
ALL = [
    pytest.param(label, marks=() if label in FIRST else NOT_ON_JAX)
    for label in SETTINGS
]
SOME_ON_JAX = [
    pytest.param(label, marks=() if label in ("DIN", "MMoE") else NOT_ON_JAX)
    for label in FIRST
]


def test_every_model_is_here():
    assert set(FIRST) == set(models.model_names())


@pytest.mark.parametrize("name", models.model_names())
def test_presets_name_arguments(name):
    """Small ones are built; of all, arguments are known."""
    cls = getattr(models, name)
    assert set(cls.presets) >= {"small", "base"}
    known = inspect.signature(cls.__init__).parameters
    for preset in cls.presets.values():
        assert set(preset) <= set(known)
    small = cls.from_preset("small", rich_schema())
    base = cls.from_preset("base", rich_schema())
    assert small.count_params() < base.count_params()


@pytest.mark.parametrize("label", ALL)
def test_ranker(label, tmp_path):
    schema = rich_schema()
    check_ranker(
        lambda **kwargs: small_model(label, schema, **kwargs),
        schema,
        # INFNet has a battery of its own.
        tmp_path if label in FILES else None,
        lengths={"clicks": 6, "likes": 2},
    )


@pytest.mark.parametrize("label", FIRST)
def test_fit_lowers_the_loss(label):
    schema = rich_schema()
    model = small_model(label, schema, dropout=0.1)
    check_fit(model, random_batch(schema, 8), random_labels(schema, 8))


@pytest.mark.parametrize("label", SOME_ON_JAX)
def test_a_missing_label_equals_dropping_the_row(label):
    """The gradients of a task that two of five rows say nothing about."""
    schema = rich_schema()
    model = compile_model(randomize(small_model(label, schema)))
    batch, labels = random_batch(schema, 5), random_labels(schema, 5)
    known = np.array([1, 0, 1, 1, 0], "float32")
    some = known > 0
    weights = {t: known if t == "click" else 0 * known for t in labels}
    kept = {name: x[some] for name, x in batch.items()}
    found = []
    for x, y, w in (
        (batch, labels, weights),
        (
            kept,
            {t: v[some] for t, v in labels.items()},
            {t: v[some] for t, v in weights.items()},
        ),
    ):
        _, gradients = value_and_gradients(
            lambda x=x, y=y, w=w: model.compute_loss(
                x=x, y=y, y_pred=model(x), sample_weight=w
            ),
            model.trainable_variables,
        )
        found.append(gradients)
    whole, part = found
    # The masked loss is a mean over the labels that are known.
    for a, b, v in zip(whole, part, model.trainable_variables, strict=True):
        a, b = (np.zeros(v.shape) if g is None else g for g in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=v.path)


@pytest.mark.parametrize("label", FIRST)
def test_one_field_and_one_task_are_enough_or_refused(label):
    schema = Schema(
        [Categorical("item")], [Task("click")], table_sizes={"item": 9}
    )
    refused = {
        name: f"{name} shares.*'click'" for name in ("MMoE", "PLE", "STEM")
    }
    refused["AutoIFS"] = "AutoIFS treats scenarios apart.*scenario="
    refused["AutoInt"] = "fields attend to each other"
    for name in ("BST", "DIEN", "DIN", "HSTU", "InterFormer", "OneTrans"):
        refused[name] = f"{name} reads past behaviour"
    if label in refused:
        with pytest.raises(ValueError, match=refused[label]):
            small_model(label, schema)
        return
    model = randomize(small_model(label, schema))
    y = model({"item": np.array([1, 2])})["click"]
    assert np.isfinite(keras.ops.convert_to_numpy(y)).all()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("DCNv2", {"structure": "paralel"}, "structure 'paralel'.*'parallel'"),
        ("DCNv2", {"hidden_dims": ()}, "structure='parallel' has an MLP"),
        ("DCNv2", {"num_experts": 2}, "`num_experts` above 1"),
        ("GDCN", {"num_cross_layers": 0}, "`num_cross_layers`"),
        ("AutoInt", {"num_layers": 0}, "`num_layers`"),
        ("DeepFM", {"hidden_dims": ()}, "`FM`"),
        ("SharedBottom", {"hidden_dims": ()}, "at least one shared layer"),
        ("FM", {"embedding_dim": 0}, "`embedding_dim`"),
        ("FM", {"dropout": 1.0}, "`dropout`"),
        ("MMoE", {"num_experts": 1}, "chooses between experts"),
        ("InterFormer", {"token_dim": 0}, "`token_dim`"),
        ("PLE", {"num_levels": 0}, "`num_levels`"),
        ("STEM", {"num_layers": 0}, "`num_layers`"),
        ("STEM", {"embedding_dim": 0}, "`embedding_dim`"),
        ("MMoE", {"trunk": "DCN2"}, "trunk 'DCN2'.*'DCNv2'"),
        ("MMoE", {"trunk": {}}, "trunk"),
        ("MMoE", {"trunk": "FM"}, "trunk 'FM'"),
        (
            "MMoE",
            {"trunk": {"name": "DCNv2", "num_cross": 2}},
            "argument of DCNv2 'num_cross'.*'num_cross_layers'",
        ),
        (
            "MMoE",
            {"trunk": {"name": "DCNv2", "embedding_dim": 2}},
            "'embedding_dim' is a setting of the whole model",
        ),
        ("MMoE", {"trunk": 3}, "`trunk` of MMoE must be a string or a table"),
    ],
)
def test_wrong_arguments_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(models, name)(rich_schema(), **arguments)


def test_a_trunk_by_name_is_that_of_the_model():
    """Same weights: MMoE's experts would read what DCNv2's towers read."""
    schema = rich_schema()
    trunk = {"num_cross_layers": 2, "hidden_dims": (5,)}
    alone = models.DCNv2(schema, embedding_dim=3, **trunk)
    under = models.SharedBottom(
        schema,
        embedding_dim=3,
        hidden_dims=(),
        tower_dims=(),
        trunk={"name": "DCNv2", **trunk},
    )
    assert [w.path for w in alone.weights] == [w.path for w in under.weights]
    randomize(alone)
    under.set_weights(alone.get_weights())
    batch = random_batch(schema)
    mine, theirs = alone(batch), under(batch)
    for task in schema.task_names:
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(mine[task]),
            keras.ops.convert_to_numpy(theirs[task]),
        )
    assert under.get_config()["trunk"]["name"] == "DCNv2"


def test_a_trunk_has_the_dropout_of_its_model():
    trunk = {"name": "DCNv2", "hidden_dims": (5,), "activation": "tanh"}
    schema = rich_schema()
    for given, expected in ((trunk, 0.3), ({**trunk, "dropout": 0.1}, 0.1)):
        model = models.SharedBottom(schema, trunk=given, dropout=0.3)
        assert model.get_layer("deep").dropout == expected
    again = models.SharedBottom.from_config(model.get_config())
    assert again.get_layer("deep").activation is keras.activations.tanh
