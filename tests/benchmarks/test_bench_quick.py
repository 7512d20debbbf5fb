"""Every benchmark, from the command line to the JSON file."""

import json

import keras
import pytest

from keras_infnet.benchmarks.saved_model_program import problem
from keras_infnet.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[
        "feed",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in (
                "training",
                "vocabulary",
                "tokens",
                "serving",
                "parity",
            )
        ),
    ],
)
def result(request, tmp_path_factory):
    """The name of a benchmark and what its quick run wrote."""
    if request.param == "serving" and problem() is not None:
        pytest.skip(f"{problem()}, which the C++ program needs")
    folder = tmp_path_factory.mktemp(request.param)
    arguments = ["bench", request.param, "--quick", "--output", str(folder)]
    assert main(arguments) == 0
    path = folder / f"{request.param}-{keras.backend.backend()}.json"
    found = json.loads(path.read_text())
    found["plot"] = path.with_suffix(".png").exists()
    return request.param, found


def numbers_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for item in value for n in numbers_of(item)]
    return [] if isinstance(value, str) else [value]


def test_quick_runs_write_complete_files(result):
    name, found = result
    assert found["benchmark"] == name
    assert found["plot"] == (name != "parity")
    assert found["settings"]["repeats"] == 1 + (name != "parity")
    for table in found["tables"]:
        assert table["rows"]
        for row in table["rows"]:
            assert len(row) == len(table["headings"])


def test_results_are_those_of_their_benchmark(result):
    name, found = result
    results = found["results"]
    if name == "training":
        assert (
            results["INFNet hub, row-sparse"]["time_over_reference"]["largest"]
            == 1
        )
        for values in results.values():
            size = found["settings"]["batch_size"]
            rates = [size / s for s in values["seconds_a_step"]]
            assert len(rates) == 2
            assert values["examples_a_second"]["largest"] == max(rates)
    elif name == "vocabulary":
        assert len(results["cases"]) == 7
        assert results["growth"]["infnet"]["to"] == 10_000
        dense = [line["training"] for line in results["dense_over_row_sparse"]]
        assert dense == ["dense optimizer", "stock layers", "dense optimizer"]
    elif name == "tokens":
        assert len(results["points"]) == 16
        assert len(results["slopes"]) == 8
        assert set(results["claim"]) == {"hub", "proxy"}
    elif name == "serving":
        assert list(results["threads"]) == ["1"]
        assert set(results["sizes"]) == {"INFNet hub", "DCNv2"}
        for served in results["threads"]["1"].values():
            calls = [(c["signature"], c["candidates"]) for c in served["calls"]]
            names = ("rank", "serving_default")
            assert calls == [(name, n) for n in (1, 3) for name in names]
            assert served["load_seconds"] > 0 < served["first_seconds"]
            assert all(len(c["seconds"]) == 2 for c in served["calls"])
    elif name == "parity":
        (differences,) = results.values()
        assert list(differences)[:2] == ["serving_default", "serve_raw"]
        assert len(differences) == 5
        assert 0 <= max(differences.values()) < 1e-5
    else:
        feed, step = (
            results["seconds_a_row"][case]
            for case in ("Parquet to batches", "INFNet hub, training")
        )
        by_round = sorted(s / f for s, f in zip(step, feed, strict=True))
        ratio = results["feed_over_training"]
        assert [ratio["smallest"], ratio["largest"]] == by_round
    times = [n for n in numbers_of(results) if isinstance(n, float)]
    assert times
