"""Models of one's own: bases, towers, losses, and ids that are refused."""

import keras
import numpy as np
import pytest

from keras_infnet import models
from keras_infnet.models import FeatureRanker, Features, Ranker
from keras_infnet.schema import Categorical, Schema, Task

SCHEMA = Schema(
    [Categorical("item"), Categorical("user")],
    [Task("click"), Task("seconds", kind="regression")],
    table_sizes={"item": 9, "user": 5},
)


@keras.saving.register_keras_serializable("own_models")
class OwnTrunk(FeatureRanker):
    def __init__(self, schema, units=4, **kwargs):
        super().__init__(schema, **kwargs)

    @classmethod
    def build_outputs(cls, features, settings):
        dense = keras.layers.Dense(settings["units"], "relu")
        return features.towers(dense(features.vector()), settings)


@keras.saving.register_keras_serializable("own_models")
class OwnGraph(Ranker):
    def __init__(self, schema, units=4, **kwargs):
        features = Features(schema, units, "uniform")
        vector = features.vector()
        outputs = {
            task: keras.layers.Dense(1, name=task)(vector)
            for task in schema.task_names
        }
        super().__init__(schema, features.inputs, outputs, **kwargs)


@keras.saving.register_keras_serializable("own_models")
class Halved(models.SharedBottom):
    def __init__(self, schema, width=8, **kwargs):
        super().__init__(schema, hidden_dims=(width // 2,), **kwargs)


@keras.saving.register_keras_serializable("own_models")
def linear_tower(task):
    activation = "sigmoid" if task.kind == "binary" else None
    return keras.layers.Dense(1, activation, name=f"own_{task.name}")


def unregistered_tower(task):
    return keras.layers.Dense(1)


def inputs_and_labels(rows=8):
    ids = np.arange(rows)
    labels = {
        "click": (ids % 2).astype("float32")[:, None],
        "seconds": np.ones((rows, 1), "float32"),
    }
    return {"item": ids % 9, "user": ids % 5}, labels


def as_arrays(outputs):
    return {t: keras.ops.convert_to_numpy(y) for t, y in outputs.items()}


@pytest.mark.parametrize(
    ("cls", "name"),
    [(OwnTrunk, "units"), (OwnGraph, "units"), (Halved, "width")],
)
def test_own_models_train_save_and_load(cls, name, tmp_path):
    inputs, labels = inputs_and_labels()
    model = cls(SCHEMA, **{name: 6})
    model.compile("adam", loss={"click": "mse", "seconds": "mse"})
    model.fit(inputs, labels, verbose=0)
    model.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    assert type(loaded) is cls and loaded.get_config()[name] == 6
    before, after = as_arrays(model(inputs)), as_arrays(loaded(inputs))
    for task in labels:
        np.testing.assert_allclose(before[task], after[task], rtol=1e-5)


def test_own_arguments_and_those_of_the_base_class():
    model = OwnTrunk(SCHEMA, 3, embedding_dim=2, tower_dims=[5])
    assert model.settings["units"] == 3
    assert model.get_layer("click").hidden_dims == (5,)
    assert model.get_config()["dropout"] == 0.0
    again = OwnTrunk.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert "tower_dims" in str(OwnTrunk.__signature__)
    assert Halved(SCHEMA, 8).get_layer("bottom").hidden_dims == (4,)
    with pytest.raises(ValueError, match="'unitz'.*'units'"):
        OwnTrunk(SCHEMA, unitz=3)


@pytest.mark.parametrize("name", ["SharedBottom", "INFNet", "FM", "DeepFM"])
def test_a_tower_of_ones_own(name):
    def tower(task):
        return Offset() if name in ("FM", "DeepFM") else linear_tower(task)

    model = models.find_model(name)(SCHEMA, tower=tower)
    shapes = {task: output.shape for task, output in model.output.items()}
    assert shapes == {"click": (None, 1), "seconds": (None, 1)}
    assert not [
        layer for layer in model.layers if "TaskTower" in type(layer).__name__
    ]


class Offset(keras.layers.Layer):
    def call(self, x, offset):
        return keras.ops.sum(x, axis=1, keepdims=True) + offset


def test_a_registered_tower_is_saved(tmp_path):
    model = OwnTrunk(SCHEMA, tower=linear_tower)
    model.save(tmp_path / "tower.keras")
    loaded = keras.saving.load_model(tmp_path / "tower.keras")
    assert loaded.settings["tower"] is linear_tower
    assert loaded.get_layer("own_click").units == 1


def test_towers_that_cannot_work_are_refused(tmp_path):
    model = OwnTrunk(SCHEMA, tower=unregistered_tower)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        model.save(tmp_path / "tower.keras")
    for tower, words in (
        (lambda task: None, "'click': None"),
        (lambda task: keras.layers.Dense(2), r"\(None, 2\)"),
        (keras.layers.Dense(1), "tower=<Dense"),
        ("Dense", "tower='Dense'"),
    ):
        with pytest.raises(ValueError, match=words):
            OwnTrunk(SCHEMA, tower=tower)
    with pytest.raises(ValueError, match="2 tensors"):
        models.FM(SCHEMA, tower=linear_tower)


def test_uncertainty_weighs_the_losses_of_compile():
    """By hand: mae 0.5, and half of Huber's 0.5 * 0.75^2."""
    inputs, labels = inputs_and_labels()
    model = models.SharedBottom(SCHEMA, loss_weighting="uncertainty")
    model.compile("sgd", loss={"click": "mae", "seconds": keras.losses.Huber()})
    half = {t: np.full((8, 1), 0.25, "float32") for t in labels}
    logged = model.evaluate(inputs, labels, batch_size=3, return_dict=True)
    outputs = model.predict(inputs)["click"]
    assert logged["click_loss"] == pytest.approx(
        np.abs(outputs - labels["click"]).mean(), rel=1e-5
    )
    assert "seconds_loss" in logged
    total = model.compute_loss(inputs, labels, half)
    expected = 0.5 + 0.5 * 0.5 * 0.75**2
    assert keras.ops.convert_to_numpy(total) == pytest.approx(expected)
    # Of the clicks, only the last row counts: |1 - 0.25| / 8 rows.
    weights = {
        "click": np.eye(8, dtype="float32")[7][:, None],
        "seconds": np.zeros((8, 1), "float32"),
    }
    total = model.compute_loss(inputs, labels, half, weights)
    assert keras.ops.convert_to_numpy(total) == pytest.approx(0.75 / 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"loss": "mse", "loss_weights": {"click": 2.0}}, "'click': 2.0"),
        ({"loss": ["mse", "mse"]}, r"\['mse', 'mse'\]"),
        ({"loss": {"click": "mse"}}, "click, seconds"),
    ],
)
def test_uncertainty_refuses_what_it_cannot_use(arguments, words):
    model = models.FM(SCHEMA, loss_weighting="uncertainty")
    with pytest.raises(ValueError, match=words):
        model.compile("sgd", **arguments)


class Rows(keras.utils.PyDataset):
    def __init__(self, bad, **kwargs):
        super().__init__(**kwargs)
        self.inputs, self.labels = inputs_and_labels()
        if bad is not None:
            self.inputs["item"][bad] = 9

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return (
            {name: x[rows] for name, x in self.inputs.items()},
            {name: y[rows] for name, y in self.labels.items()},
        )


def generator(bad):
    rows = Rows(bad)
    yield from (rows[0], rows[1])


def tf_data(bad):
    tensorflow = pytest.importorskip("tensorflow")
    rows = Rows(bad)
    pairs = (rows.inputs, rows.labels)
    return tensorflow.data.Dataset.from_tensor_slices(pairs).batch(4)


@pytest.fixture(scope="module", params=[1, 2])
def trained(request):
    if request.param > 1 and keras.backend.backend() == "torch":
        pytest.skip("Keras has no steps_per_execution on PyTorch")
    model = models.FM(SCHEMA)
    model.compile("sgd", loss="mse", steps_per_execution=request.param)
    return model


@pytest.mark.parametrize("bad", [0, 7])
@pytest.mark.parametrize("source", [Rows, generator, tf_data])
def test_ids_outside_their_table_in_datasets(trained, source, bad):
    with pytest.raises(ValueError, match="'item' holds the id 9.* 9 rows"):
        trained.fit(source(bad), verbose=0, shuffle=False)
    # JAX has donated the weights of a step that fails.
    before = trained.get_weights()
    assert all(np.isfinite(weight).all() for weight in before)
    for method in (trained.evaluate, trained.predict):
        with pytest.raises(ValueError, match="'item' holds the id 9.* 9 rows"):
            method(source(bad), verbose=0)
        for old, new in zip(before, trained.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    if source is not generator:  # Keras warns where one ends
        trained.fit(source(None), verbose=0, shuffle=False)


class NamedLength(Rows):
    """Says how many batches it has as Keras 3 asks for, without `len`."""

    __len__ = None
    num_batches = 2


@pytest.mark.parametrize("dataset", [Rows, NamedLength])
def test_datasets_of_ones_own_for_validation(trained, dataset):
    history = trained.fit(
        dataset(None), validation_data=dataset(None), verbose=0
    ).history
    assert np.isfinite(history["val_loss"]).all()
    with pytest.raises(ValueError, match="'item' holds the id 9"):
        trained.fit(dataset(None), validation_data=dataset(7), verbose=0)


@pytest.mark.parametrize(
    "ids, words",
    [
        (np.full(8, 3.7), "'item'.*float64"),
        (np.full(8, np.nan), "'item'.*nan"),
        (np.full(8, "3"), "'item'.*<U1"),
        (np.full(8, 3, object), "'item'.*object"),
    ],
)
def test_ids_that_are_no_integers(trained, ids, words):
    inputs, _ = inputs_and_labels()
    with pytest.raises(ValueError, match=words):
        trained.predict({**inputs, "item": ids}, verbose=0)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.array([1, 2, 3.7, 4]), "'item' holds the id 3.7"),
        (np.array([1, 2, np.nan, 4]), "'item' holds the id nan"),
        (np.array(["1", "2", "3", "4"]), "'item'.*dtype string"),
    ],
)
def test_ids_that_are_no_integers_in_tf_data(trained, ids, words):
    tensorflow = pytest.importorskip("tensorflow")
    inputs, labels = inputs_and_labels(4)
    pairs = ({**inputs, "item": ids}, labels)
    rows = tensorflow.data.Dataset.from_tensor_slices(pairs).batch(2)
    with pytest.raises(ValueError, match=words):
        trained.fit(rows, verbose=0, shuffle=False)


class OwnOutputs(FeatureRanker):
    @classmethod
    def build_outputs(cls, features, settings):
        return cls.make(keras.layers.Dense(1)(features.vector()))


class OwnVector(models.TrunkRanker):
    @classmethod
    def build_trunk(cls, features, settings):
        return cls.make(features.vector())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: {"click": x}, "OwnOutputs.*'seconds'.*None"),
        (lambda x: {"click": x, "seconds": None}, "OwnOutputs.*'seconds'"),
        (lambda x: [x, x], "OwnOutputs.*click, seconds.*KerasTensor"),
        (lambda x: None, "OwnOutputs.*click, seconds.*None"),
        (
            lambda x: {"click": x, "seconds": keras.ops.tile(x, (1, 2))},
            "OwnOutputs.*'seconds'.*2",
        ),
        (
            lambda x: {"click": x[:, None], "seconds": x},
            "OwnOutputs.*'click'.*1, 1",
        ),
    ],
)
def test_outputs_must_be_a_dict_of_all_tasks(make, words, monkeypatch):
    monkeypatch.setattr(OwnOutputs, "make", make, raising=False)
    with pytest.raises(ValueError, match=words):
        OwnOutputs(SCHEMA)


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda x: None, "None"), (lambda x: x[:, None], "None, 1,")],
)
def test_a_trunk_must_be_a_matrix(make, words, monkeypatch):
    monkeypatch.setattr(OwnVector, "make", make, raising=False)
    for build in (
        lambda: OwnVector(SCHEMA),
        lambda: models.MMoE(SCHEMA, trunk="OwnVector"),
    ):
        with pytest.raises(ValueError, match=f"OwnVector.*{words}"):
            build()


def test_ids_outside_their_table_in_arrays(trained):
    inputs, labels = inputs_and_labels()
    before = [np.array(weight) for weight in trained.get_weights()]
    wrong = {**inputs, "user": inputs["user"] - 1}
    for call in (
        lambda: trained.fit(wrong, labels, verbose=0),
        lambda: trained.fit(
            inputs, labels, validation_data=(wrong, labels), verbose=0
        ),
        lambda: trained.evaluate(wrong, labels, verbose=0),
        lambda: trained.predict(wrong, verbose=0),
        lambda: trained(wrong),
    ):
        with pytest.raises(ValueError, match="'user' holds the id -1.* 5 rows"):
            call()
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
