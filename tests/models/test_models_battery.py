"""Every model through `check_ranker`, and what all of them must do."""

import inspect

import keras
import numpy as np
import pytest
from small_models import SETTINGS, small_model
from tiny import NOT_ON_JAX, random_batch, randomize, rich_schema

from keras_infnet import models
from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.testing import check_ranker

# One of each model; the other labels are variants of it.
FIRST = [label for label in SETTINGS if "_" not in label]
FULL = [*FIRST, "INFNet_proxy", "MMoE_trunk", "SharedBottom_trunk"]
ALL = [
    pytest.param(label, marks=() if label in FIRST else NOT_ON_JAX)
    for label in SETTINGS
]
ON_JAX = keras.backend.backend() == "jax"


def test_every_model_is_here():
    assert set(FIRST) == set(models.model_names())


@NOT_ON_JAX
@pytest.mark.parametrize("name", models.model_names())
def test_presets_name_arguments(name):
    """Small ones are built; of all, arguments are known."""
    cls = getattr(models, name)
    assert set(cls.presets) >= {"small", "base"}
    known = inspect.signature(cls).parameters
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
        tmp_path,
        # Every layer is checked in both, on every backend.
        precisions=("mixed_bfloat16", "mixed_float16")[: 1 if ON_JAX else 2],
        quick=label not in FULL,
    )


@pytest.mark.skipif(ON_JAX, reason="would compile each model twice more")
@pytest.mark.parametrize("label", FIRST)
def test_dropout_acts_in_training_alone(label):
    schema = rich_schema()
    model = randomize(small_model(label, schema, dropout=0.5))
    batch = random_batch(schema)
    outputs = [model(batch, training=t) for t in (False, False, True, True)]
    first, same, dropped, other = (
        np.concatenate([keras.ops.convert_to_numpy(y) for y in out.values()])
        for out in outputs
    )
    np.testing.assert_array_equal(first, same)
    assert np.isfinite(dropped).all()
    if label in ("FM",):  # nothing to drop
        np.testing.assert_allclose(first, dropped, rtol=1e-6)
    else:
        assert (first != dropped).any() and (dropped != other).any()


@pytest.mark.parametrize("label", FIRST)
def test_one_field_and_one_task_are_enough_or_refused(label):
    schema = Schema(
        [Categorical("item")], [Task("click")], table_sizes={"item": 9}
    )
    refused = {
        name: f"{name} shares.*'click'" for name in ("MMoE", "PLE", "STEM")
    }
    refused["AutoIFS"] = "AutoIFS.*scenario="
    refused["AutoInt"] = "`tokens`.*None, 1, 3"
    for name in ("BST", "DIEN", "DIN", "HSTU", "InterFormer", "OneTrans"):
        refused[name] = f"{name}.*`behaviors`"
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
        ("DCNv2", {"hidden_dims": ()}, "structure='parallel'"),
        ("DCNv2", {"num_experts": 2}, "num_experts=2"),
        ("GDCN", {"num_cross_layers": 0}, "`num_cross_layers`"),
        ("AutoInt", {"num_layers": 0}, "`num_layers`"),
        ("DeepFM", {"hidden_dims": ()}, "`FM`"),
        ("SharedBottom", {"hidden_dims": ()}, "`hidden_dims`"),
        ("FM", {"embedding_dim": 0}, "`embedding_dim`"),
        ("FM", {"dropout": 1.0}, "`dropout`"),
        ("MMoE", {"num_experts": 1}, "`experts`"),
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
            "'embedding_dim'.*whole model",
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
