"""Building blocks of the benchmarks."""

import dataclasses
import subprocess

import keras
import numpy as np
import pytest

from keras_infnet.benchmarks import (
    memory,
    subprocess_measurement,
    vocabulary_memory,
)
from keras_infnet.benchmarks.infnet_blocks import (
    BLOCKS,
    block_call,
    call_seconds,
    memory_of_block,
)
from keras_infnet.benchmarks.peers import stock_keras, torch_rechub
from keras_infnet.benchmarks.random_batches import (
    field_schema,
    kuairand_schema,
    random_batches,
    tiny_schema,
)
from keras_infnet.benchmarks.run_benchmark import run
from keras_infnet.benchmarks.settings import VocabularySettings
from keras_infnet.benchmarks.step_timing import prepared, step_seconds
from keras_infnet.benchmarks.subprocess_measurement import call_in_child
from keras_infnet.benchmarks.vocabulary_cases import (
    EmbeddingOnly,
    Plan,
    fitting_plans,
)
from keras_infnet.data.batching.batch_arrays import input_shapes
from keras_infnet.losses import task_losses


@pytest.mark.parametrize("make", [tiny_schema, kuairand_schema])
@pytest.mark.parametrize("zipf", [False, True])
def test_random_batches_fit_the_schema(make, zipf):
    schema = make()
    (inputs, labels, weights), _ = random_batches(schema, 8, 2, zipf)
    shapes = input_shapes(schema)
    assert {n: x.shape[1:] for n, x in inputs.items()} == shapes
    assert set(labels) == set(weights) == set(schema.task_names)
    for part in schema.fields:
        size = schema.table_size(part.table_name)
        assert 0 <= inputs[part.name].min() <= inputs[part.name].max() < size
    for behavior in schema.behaviors:
        mask = inputs[f"{behavior.name}_mask"]
        for part in schema.attributes(behavior):
            ids = inputs[f"{behavior.name}_{part.name}"]
            size = schema.table_size(part.table_name)
            assert 0 <= ids.min() <= ids.max() < size
            assert not ids[~mask].any()
            assert ids.dtype == np.int32


def test_zipf_makes_small_ids_frequent():
    schema = field_schema(1_000, 1)
    shares = [
        (random_batches(schema, 4_000, 1, zipf)[0][0]["field_0"] < 10).mean()
        for zipf in (False, True)
    ]
    assert shares[0] == pytest.approx(9 / 999, abs=0.01)
    # log(10) / log(1000)
    assert shares[1] == pytest.approx(1 / 3, abs=0.03)


def test_sizes_of_the_kuairand_schema():
    schema = kuairand_schema()
    assert len(schema.fields) == 49
    assert [b.name for b in schema.behaviors] == [
        "watched",
        "long_view",
        "like",
    ]
    assert schema.table_size("user_id") == 24_077


def test_cases_beyond_the_memory_are_skipped(monkeypatch):
    path = "keras_infnet.benchmarks.vocabulary_cases.available_memory"
    settings = VocabularySettings(rows=(1_000, 1_000_000), dense_rows=(1_000,))
    plans, notes = fitting_plans(settings)
    assert len(plans) == 7 and not notes
    # By hand: 32 floats and an accumulator for a million rows are 132 MB.
    assert Plan("infnet", "row-sparse", 1_000_000).bytes(32) == 132_000_000
    monkeypatch.setattr(path, lambda: 300_000_000)
    plans, notes = fitting_plans(settings)
    assert len(plans) == 6
    assert "1,000,000 rows needs about 126 MiB" in notes[0]
    monkeypatch.setattr(path, lambda: None)
    assert len(fitting_plans(settings)[0]) == 7


def test_steps_train_the_model():
    schema = field_schema(100, 2)
    data = prepared(random_batches(schema, 16, 3))
    model = EmbeddingOnly(schema, dim=4)
    model.compile(
        optimizer=keras.optimizers.Adagrad(0.1), loss=task_losses(schema)
    )
    before = [np.array(w) for w in model.get_weights()]
    assert 0 < step_seconds(model, data, 3) < 60
    after = model.get_weights()
    assert all((a != b).any() for a, b in zip(after, before, strict=True))
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 3
    # A second epoch reuses the compiled function.
    function = model.train_function
    step_seconds(model, data, 3)
    assert model.train_function is function


def test_stock_model_computes_the_same_as_ours():
    schema = field_schema(60, 3)
    ours = EmbeddingOnly(schema, dim=4)
    stock = stock_keras.embedding_only(schema, 4)
    table, kernel, bias = ours.get_weights()
    stock.set_weights([*np.split(table[:60], 3), kernel, bias])
    inputs = random_batches(schema, 5, 1)[0][0]
    np.testing.assert_allclose(
        ours.predict(inputs, verbose=0)["click"],
        stock.predict(inputs, verbose=0)["click"],
        rtol=1e-5,
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", list(BLOCKS))
def test_blocks_run(name, training):
    call = block_call(name, 3, 4, 2, 8, training)
    assert 0 < call_seconds(call)() < 10


def test_memory_counts_allocations():
    resident = memory.resident_memory()
    if resident is None or not memory.reset_peak():
        pytest.skip("the system reports no peak memory")
    start = memory.peak_memory()
    held = np.ones(50_000_000 // 8)
    assert memory.peak_memory() - start >= 45_000_000
    assert held[-1] == 1
    assert memory.total_memory() > memory.available_memory() > 0
    sizes = {"count": 3, "length": 4, "batch_size": 2, "dim": 8}
    assert memory_of_block(block="hub", **sizes) >= 0


@pytest.mark.slow
def test_memory_of_training_in_a_child():
    options = dataclasses.asdict(VocabularySettings.quick())
    arguments = {"model": "embedding", "rows": 1_000, "drawn": True}
    arguments["options"] = options
    found = call_in_child(
        f"{vocabulary_memory.__name__}:memory_of_training", arguments
    )
    # More than Keras itself, less than the memory of the machine.
    assert 50_000_000 < found < memory.total_memory()


def test_memory_of_training_in_this_process():
    if memory.resident_memory() is None or not memory.reset_peak():
        pytest.skip("the system reports no peak memory")
    options = dataclasses.asdict(VocabularySettings.quick())
    found = vocabulary_memory.memory_of_training(
        "embedding", 1_000, False, options
    )
    assert found > 50_000_000


def test_failure_of_a_child(monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "loading", "no memory")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RuntimeError, match="(?s)status 1 .*no memory"):
        call_in_child("keras_infnet.version:nothing", {})


def test_the_program_of_a_child(capsys):
    subprocess_measurement.main(
        ["keras_infnet.benchmarks.timing:upper_half", '{"sizes": [1, 2, 3]}']
    )
    assert capsys.readouterr().out == "[2, 3]\n"


@pytest.mark.skipif(
    not torch_rechub.installed(), reason="torch-rechub is not installed"
)
def test_torch_rechub_trains():
    schema = tiny_schema()
    step = torch_rechub.mmoe_step(schema, random_batches(schema, 16, 2), 8)
    assert 0 < step() < 60


def test_nothing_fits_in_memory(monkeypatch):
    path = "keras_infnet.benchmarks.vocabulary_cases.available_memory"
    monkeypatch.setattr(path, lambda: 1_000)
    messages = []
    with pytest.raises(ValueError, match="rows="):
        run(VocabularySettings.quick(), None, messages.append)
    assert sum(line.startswith("Skipped: ") for line in messages) == 7


def test_memory_in_percent_over_the_sum(monkeypatch):
    peaks = {100: 1_000_000, 1_000: 1_233_200}
    monkeypatch.setattr(
        vocabulary_memory,
        "call_in_child",
        lambda function, arguments: peaks[arguments["rows"]],
    )
    found = vocabulary_memory.peaks_of_training(
        "embedding", (100, 1_000), VocabularySettings(), lambda text: None
    )
    # 1,000 rows of 32 floats and an accumulator: 132,000 bytes.
    assert found["tables"] == 132_000
    expected = 1_233_200 / 1_132_000 - 1
    assert found["step"]["excess"] == pytest.approx(expected)
    cells = vocabulary_memory.memory_table({"embedding": found}).rows[0]
    assert cells[-1] == "+8.9 %"
