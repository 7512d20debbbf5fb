"""Tables, files and plots of reports."""

import dataclasses
import importlib.util
import json
import math

import keras
import numpy as np
import pytest

from keras_infnet.benchmarks import report as module
from keras_infnet.benchmarks.machine import describe_machine, machine_lines
from keras_infnet.benchmarks.report import Chart, Report, SectionTable
from keras_infnet.benchmarks.settings import Settings
from keras_infnet.benchmarks.timing import spread
from keras_infnet.version import __version__


@dataclasses.dataclass(frozen=True)
class ExampleSettings(Settings):
    rows: tuple[int, ...] = (1, 2)
    data: str | None = None


def make_report():
    table = SectionTable(
        "Times", ["case", "ms"], [["one", "1.00"], ["eleven", "11.0"]]
    )
    line = {1.0: spread([1.5, 2.5]), 10.0: spread([15.0, 25.0])}
    return Report(
        ExampleSettings(),
        [table],
        ["a note"],
        {"mean": np.float64(2.5), "unknown": math.nan},
        [
            Chart("lines", "rows", "ms", {"one": line}),
            Chart("bars", "rows/s", bars={"one": spread([1.0, 2.0])}),
        ],
    )


def test_the_machine_is_described():
    machine = describe_machine()
    backend = keras.backend.backend()
    assert machine["backend"] == backend
    assert machine["versions"]["keras_infnet"] == __version__
    assert {"python", "keras", "numpy", backend} <= machine["versions"].keys()
    assert "unknown" not in machine["versions"].values()
    assert machine["cores"] >= 1
    text = "\n".join(machine_lines(machine))
    for part in (machine["cpu"], machine["date"], keras.version()):
        assert part in text


def test_the_file_holds_all_numbers(tmp_path):
    messages = []
    report = make_report()
    path = report.save(tmp_path / "new", messages.append)
    assert path.name == f"example-{keras.backend.backend()}.json"
    found = json.loads(path.read_text())
    assert found["benchmark"] == "example"
    assert found["results"] == {"mean": 2.5, "unknown": None}
    assert found["settings"] == {"repeats": 5, "rows": [1, 2], "data": None}
    assert found["notes"] == ["a note"]
    assert found["machine"]["versions"]["keras"] == keras.version()
    assert found["tables"][0]["rows"][1] == ["eleven", "11.0"]
    assert str(path) in messages[0]
    written = {file.suffix for file in path.parent.iterdir()}
    assert written >= {".json"} and written <= {".json", ".png"}


def test_a_plot_is_written_where_matplotlib_is(tmp_path):
    pytest.importorskip("matplotlib")
    path = make_report().save(tmp_path, lambda text: None)
    assert path.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_a_line_says_so(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "matplotlib" else find_spec(name),
    )
    messages = []
    path = make_report().save(tmp_path, messages.append)
    assert "matplotlib" in messages[0]
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    path = make_report().save(tmp_path, lambda text: None)
    before = path.read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", interrupted)
    files = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        make_report().save(tmp_path, lambda text: None)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == files
