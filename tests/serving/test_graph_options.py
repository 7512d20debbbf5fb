"""Exports that compute or store in other types, or are compiled by XLA."""

import json
import shutil

import keras
import numpy as np
import pytest
from small_models import small_model
from tiny import randomize

from keras_infnet.data.batching.padding import input_arrays
from keras_infnet.layers import StackedEmbedding
from keras_infnet.models.rewriting.compute_precision import in_compute_dtype
from keras_infnet.serving import Servable
from keras_infnet.serving.exporting.build_saved_model import build
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE, GraphOptions
from keras_infnet.serving.graph.table_precision import round_rows

pytestmark = pytest.mark.serving
in_this_process = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="builds in this process"
)


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


def test_rows_too_small_for_a_scale_become_zero():
    values, scales = round_rows(np.full((1, 2), 1e-44, np.float32))
    assert values.tolist() == [[0, 0]] and np.isfinite(scales).all()


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
    model = randomize(small_model("INFNet", encoder.schema, variant="proxy"))
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


def predictions(model, encoder, table):
    encoded = encoder.encode(table, labels=False)
    inputs = input_arrays(encoder.schema, encoded)
    return model.predict(inputs, verbose=0)


def expect(found, expected, tolerance):
    for task, values in expected.items():
        scale = np.maximum(np.abs(values), 1.0)
        difference = np.abs(found[task] - values) / scale
        assert difference.max() <= tolerance, task


def rounded(values, dtype):
    """The same rounding in other words."""
    if dtype == "float16":
        return values.astype(np.float16).astype(np.float32)
    steps = np.abs(values).max(axis=1, keepdims=True) / 127
    steps[steps == 0] = 1
    return (np.round(values / steps) * steps).astype(np.float32)


@in_this_process
@pytest.mark.parametrize(
    "dtype", ["int8", pytest.param("float16", marks=pytest.mark.long)]
)
def test_tables_in_fewer_bits(dtype, trained, encoder, table, tmp_path):
    model, folder = trained
    before = predictions(model, encoder, table)
    served = built(trained, tmp_path, table_dtype=dtype)
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
    expected = predictions(coarse, encoder, table)
    expect(found, expected, 1e-5)
    # So do candidates of one request.
    first = np.zeros(len(table), np.int64)
    names = [n for n in table.columns if n not in encoder.schema.candidates]
    tiled = table.with_columns({n: table[n].take(first) for n in names})
    ranked = served.rank(table.slice(0, 1), table)
    expected = predictions(coarse, encoder, tiled)
    expect({t: ranked[t][:, None] for t in expected}, expected, 1e-5)


@in_this_process
def test_rounded_tables_take_the_place_of_the_others(
    trained, encoder, table, tmp_path
):
    import tensorflow as tf

    built(trained, tmp_path, table_dtype="int8")
    names = tf.train.list_variables(str(tmp_path / "1/variables/variables"))
    (layer,) = [
        layer
        for layer in trained[0]._flatten_layers()
        if isinstance(layer, StackedEmbedding)
    ]
    shape = [layer.num_rows, layer.dim]
    reader = tf.train.load_checkpoint(str(tmp_path / "1/variables/variables"))
    kinds = reader.get_variable_to_dtype_map()
    tables = [kinds[name] for name, found in names if found == shape]
    assert tables == [tf.int8]


@in_this_process
@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.long)]
)
def test_layers_compute_in_fewer_bits(dtype, trained, encoder, table, tmp_path):
    model, _ = trained
    served = built(trained, tmp_path, compute_dtype=dtype)
    found = served.predict_raw(table)
    expect(
        found,
        predictions(model, encoder, table),
        GraphOptions(compute_dtype=dtype).tolerance,
    )
    # A model made in mixed precision, with the same weights.
    mixed = small_model(
        "INFNet", encoder.schema, variant="proxy", dtype=f"mixed_{dtype}"
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
        predictions(ours, encoder, table),
        predictions(mixed, encoder, table),
        1e-6,
    )


@in_this_process
def test_xla_compiles_the_model(encoder, table, tmp_path):
    model = randomize(small_model("SharedBottom", encoder.schema))
    folder = tmp_path / "model"
    folder.mkdir()
    model.save(folder / "model.keras")
    encoder.save(folder)
    served = built((model, folder), tmp_path, jit_compile=True)
    expect(served.predict_raw(table), predictions(model, encoder, table), 1e-5)
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
