"""Exports that compute or store in other types, or are compiled by XLA."""

import json
import shutil

import keras
import numpy as np
import pytest
from serving_examples import as_candidates, expect, on_tensorflow, predict
from small_models import small_model
from tiny import randomize

from keras_infnet.layers import StackedEmbedding
from keras_infnet.models.graph_rewrites.compute_precision import (
    in_compute_dtype,
)
from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.build_saved_model import build
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE, GraphOptions
from keras_infnet.serving.graph.table_precision import round_rows

pytestmark = pytest.mark.serving
SETTINGS = {"variant": "proxy", "num_blocks": 1}


def test_rows_are_rounded_by_a_scale_of_their_own():
    table = np.random.default_rng(0).normal(size=(50, 7))
    table *= 10.0 ** np.arange(-20, 30)[:, None] / 1e10
    table[3] = 0.0
    values, scales = round_rows(table.astype(np.float32))
    assert values.dtype == np.int8 and scales.shape == (50, 1)
    found = values * scales.astype(np.float64)
    bound = np.abs(table).max(axis=1, keepdims=True) / 254
    assert (np.abs(found - table) <= 1.001 * bound).all()
    # The largest of a row uses all of the range.
    others = np.delete(np.arange(50), 3)
    assert (np.abs(values[others]).max(axis=1) == 127).all()


def test_tables_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="Received: 1 such rows"):
        round_rows(np.array([[1.0, 2.0], [np.nan, 1.0]]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"compute_dtype": "float32"},
        {"compute_dtype": "mixed_bfloat16"},
        {"table_dtype": "int4"},
        {"table_dtype": None},
        {"jit_compile": "yes"},
    ],
)
def test_unknown_types_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value!r}"):
        GraphOptions(**wrong)


@pytest.fixture(scope="module")
def trained(encoder, tmp_path_factory):
    """A small model, its inputs and the folder it is exported to."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("builds in this process")
    model = randomize(small_model("INFNet", encoder.schema, **SETTINGS))
    folder = tmp_path_factory.mktemp("trained")
    model.save(folder / "model.keras")
    encoder.save(folder)
    return model, folder


def built(trained, tmp_path, **options):
    _, folder = trained
    shutil.copytree(folder, tmp_path / "1")
    GraphOptions(**options).save(tmp_path / "1" / OPTIONS_FILE)
    build(tmp_path / "1")
    return Servable.load(tmp_path / "1")


def dtypes_of_tables(folder, model):
    """Dtypes of the saved variables that have the shape of the tables."""
    import tensorflow as tf

    (layer,) = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, StackedEmbedding)
    ]
    reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
    dtypes = reader.get_variable_to_dtype_map()
    return [
        dtypes[name].name
        for name, shape in reader.get_variable_to_shape_map().items()
        if shape == [layer.num_rows, layer.dim]
    ]


def rounded(values, dtype):
    """The same rounding in other words."""
    if dtype == "float16":
        return values.astype(np.float16).astype(np.float32)
    steps = np.abs(values).max(axis=1, keepdims=True) / 127
    steps[steps == 0] = 1
    return (np.round(values / steps) * steps).astype(np.float32)


@on_tensorflow
@pytest.mark.parametrize(
    "dtype", ["int8", pytest.param("float16", marks=pytest.mark.long)]
)
def test_tables_in_fewer_bits(dtype, trained, encoder, table, tmp_path):
    model, folder = trained
    before = predict(model, encoder, table)
    served = built(trained, tmp_path, table_dtype=dtype)
    # They take the place of the others.
    assert dtypes_of_tables(tmp_path / "1", model) == [dtype]
    found = served.predict_raw(table)
    options = GraphOptions(table_dtype=dtype)
    expect(found, before, options.tolerance)
    largest = max(np.abs(found[task] - before[task]).max() for task in before)
    assert largest > 1e-6
    coarse = keras.models.load_model(folder / "model.keras")
    for layer in coarse._flatten_layers():
        if isinstance(layer, StackedEmbedding):
            rows = np.asarray(layer.embeddings.value)
            layer.embeddings.assign(rounded(rows, dtype))
    expected = predict(coarse, encoder, table)
    expect(found, expected, 1e-5)
    # So do candidates of one request.
    tiled = as_candidates(table, encoder.schema)
    ranked = served.rank(table.slice(0, 1), table)
    expected = predict(coarse, encoder, tiled)
    expect({t: ranked[t][:, None] for t in expected}, expected, 1e-5)


@on_tensorflow
@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.long)]
)
def test_layers_compute_in_fewer_bits(dtype, trained, encoder, table, tmp_path):
    model, _ = trained
    served = built(trained, tmp_path, compute_dtype=dtype)
    found = served.predict_raw(table)
    expect(
        found,
        predict(model, encoder, table),
        GraphOptions(compute_dtype=dtype).tolerance,
    )
    # A model made in mixed precision, with the same weights.
    mixed = small_model(
        "INFNet", encoder.schema, dtype=f"mixed_{dtype}", **SETTINGS
    )
    mixed.set_weights(model.get_weights())
    ours = in_compute_dtype(model, dtype)
    policies = [
        [
            layer.dtype_policy.name
            for layer in of._flatten_layers(include_self=False)
        ]
        for of in (mixed, ours)
    ]
    assert policies[0] == policies[1]
    expect(
        predict(ours, encoder, table),
        predict(mixed, encoder, table),
        1e-6,
    )


@on_tensorflow
def test_xla_compiles_the_model(encoder, table, tmp_path):
    model = randomize(small_model("SharedBottom", encoder.schema))
    folder = tmp_path / "model"
    folder.mkdir()
    model.save(folder / "model.keras")
    encoder.save(folder)
    served = built((model, folder), tmp_path, jit_compile=True)
    expect(served.predict_raw(table), predict(model, encoder, table), 1e-5)
    graph = (tmp_path / "1/saved_model.pb").read_bytes()
    assert b"_XlaMustCompile" in graph


def test_options_are_read_back(tmp_path):
    options = GraphOptions("bfloat16", "int8", True)
    options.save(tmp_path / OPTIONS_FILE)
    assert GraphOptions.load(tmp_path / OPTIONS_FILE) == options
    assert json.loads((tmp_path / OPTIONS_FILE).read_text()) == {
        "compute_dtype": "bfloat16",
        "table_dtype": "int8",
        "jit_compile": True,
    }
