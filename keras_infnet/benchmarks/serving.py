"""How long does a served model take to rank candidates?"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_infnet import models
from keras_infnet.benchmarks.machine import describe_machine
from keras_infnet.benchmarks.random_batches import serving_schema
from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    milliseconds,
    quotient,
    size,
)
from keras_infnet.benchmarks.saved_model_program import (
    SavedModelProgram,
    compile_program,
    problem,
)
from keras_infnet.benchmarks.settings import ServingSettings
from keras_infnet.benchmarks.timing import Spread, ratios, spread
from keras_infnet.schema import Schema
from keras_infnet.serving.exporting.build_saved_model import building
from keras_infnet.serving.exporting.sample_rows import example_inputs
from keras_infnet.serving.graph.signatures import ENCODED, RANK

__all__ = ["measure"]

_MODELS: Mapping[str, Mapping[str, Any]] = {
    "INFNet hub": {"name": "INFNet", "preset": "small"},
    "INFNet proxy": {"name": "INFNet", "preset": "small", "variant": "proxy"},
    # The same tokens without hubs, each of which attends to all.
    "INFNet all-to-all": {
        "name": "INFNet",
        "preset": "small",
        "ablate": "hubs",
        "tower_inputs": "task",
    },
    "SharedBottom": {"name": "SharedBottom", "preset": "small"},
    "PLE": {"name": "PLE", "preset": "small"},
    "DIN": {"name": "DIN", "preset": "small"},
    "DCNv2": {"name": "DCNv2", "preset": "small"},
}
_TINY = ("INFNet hub", "DCNv2")
# More lines than these, and nobody can tell them apart.
_DRAWN = ("INFNet hub", "INFNet proxy", "SharedBottom")
_TILED = f"tiled {ENCODED}"
_WARM_UP = 3

# Seconds of the calls of a model: by signature and number of candidates.
Calls = Mapping[tuple[str, int], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class _Served:
    """What was measured of one model with one number of threads."""

    calls: Calls
    load: float
    first: float


def measure(settings: ServingSettings, log: Callable[[str], None]) -> Report:
    """Measures requests in C++, as a server runs them, without a network."""
    why = problem()
    if why is not None:
        raise ValueError(f"bench serving runs models in C++: {why}.")
    machine = describe_machine()
    schema = serving_schema(settings.length, settings.tiny)
    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(temporary)
        labels = _TINY if settings.tiny else tuple(_MODELS)
        folders = [_built(label, schema, place, log) for label in labels]
        sizes = {
            label: sum(f.stat().st_size for f in folder.rglob("*"))
            for label, folder in zip(labels, folders, strict=True)
        }
        log("compiling the C++ program")
        program = compile_program(place)
        requests = _requests(schema, settings.candidates)
        found: dict[int, dict[str, _Served]] = {}
        for threads in settings.threads:
            log(f"{threads} threads: {settings.repeats} rounds")
            runner = SavedModelProgram(program, place, threads)
            lines = runner.time(folders, requests, settings.repeats, _WARM_UP)
            found[threads] = _served(lines, labels, settings.candidates)
    return Report(
        "serving",
        machine,
        dataclasses.asdict(settings),
        [
            *(_table(settings, n, by_model) for n, by_model in found.items()),
            _cold_table(found, sizes),
        ],
        _notes(settings, found),
        {
            "sizes": sizes,
            "threads": {
                threads: {
                    label: {
                        "load_seconds": served.load,
                        "first_seconds": served.first,
                        "calls": [
                            {
                                "signature": signature,
                                "candidates": count,
                                "seconds": list(seconds),
                            }
                            for (signature, count), seconds in (
                                served.calls.items()
                            )
                        ],
                    }
                    for label, served in by_model.items()
                }
                for threads, by_model in found.items()
            },
        },
        [_chart(n, by_model) for n, by_model in found.items()],
    )


def _built(
    label: str, schema: Schema, place: pathlib.Path, log: Callable[[str], None]
) -> pathlib.Path:
    config = dict(_MODELS[label])
    kind = getattr(models, config.pop("name"))
    model = kind.from_preset(config.pop("preset"), schema, **config)
    folder = place / label.replace(" ", "_")
    folder.mkdir()
    model.save(place / "model.keras")
    (place / "model.keras").rename(folder / "model.keras")
    schema.save(folder / "schema.json")
    log(f"building {label}")
    with building(folder):
        pass
    # What is left is what a server reads.
    (folder / "model.keras").unlink()
    return folder


def _requests(
    schema: Schema, counts: Sequence[int]
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The same requests for both signatures, smallest first."""
    inputs = example_inputs(schema, rows=max(counts), seed=1)
    for behavior in schema.behaviors:
        # Full histories: all models read as many events.
        inputs[behavior.mask_input][:] = True
    shared = schema.shared_inputs
    return [
        (
            signature,
            {
                name: array[:1] if name in shared else array[:count]
                for name, array in inputs.items()
            },
        )
        for count in counts
        for signature in (RANK, ENCODED)
    ]


def _served(
    lines: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    counts: Sequence[int],
) -> dict[str, _Served]:
    asked = [(name, n) for n in counts for name in (RANK, ENCODED)]
    found = {}
    for index, label in enumerate(labels):
        own = [line for line in lines if line["folder"] == index]
        wrong = [line for line in own if line["status"]]
        if wrong:
            raise RuntimeError(f"a request to {label} failed: {wrong[0]}")
        calls = {
            asked[line["request"]]: [
                1e-6 * (prepare + run)
                for prepare, run in zip(
                    line["prepare_us"], line["run_us"], strict=True
                )
            ]
            for line in own
        }
        first = next(line for line in own if line["request"] == 0)
        found[label] = _Served(
            calls, 1e-6 * first["load_us"], 1e-6 * first["first_us"]
        )
    return found


def _ratio(calls: Calls, count: int) -> Spread:
    times = {_TILED: calls[ENCODED, count], RANK: calls[RANK, count]}
    return ratios(times, _TILED, RANK)


def _table(
    settings: ServingSettings, threads: int, by_model: Mapping[str, _Served]
) -> SectionTable:
    rows = []
    for label, served in by_model.items():
        for count in settings.candidates:
            for signature, words in ((RANK, RANK), (ENCODED, _TILED)):
                seconds = served.calls[signature, count]
                p50, p99 = np.percentile(seconds, [50, 99])
                ratio = _ratio(served.calls, count)
                rows.append(
                    [
                        label,
                        words,
                        f"{count}",
                        milliseconds(spread(seconds))[0],
                        f"{1e3 * p99:,.2f}",
                        f"{count / p50:,.0f}",
                        *(quotient(ratio) if signature == RANK else ("", "")),
                    ]
                )
    return SectionTable(
        f"One request of one user, {settings.length} events, "
        f"{threads} thread{'s' * (threads > 1)}",
        [
            "model",
            "signature",
            "candidates",
            "p50 ms",
            "p99 ms",
            "candidates/s",
            "tiled / rank",
            "range",
        ],
        rows,
    )


def _cold_table(
    found: Mapping[int, Mapping[str, _Served]], sizes: Mapping[str, int]
) -> SectionTable:
    rows = []
    for threads, by_model in found.items():
        for label, served in by_model.items():
            rows.append(
                [
                    label,
                    f"{threads}",
                    size(sizes[label]),
                    f"{1e3 * served.load:,.0f}",
                    f"{1e3 * served.first:,.0f}",
                ]
            )
    return SectionTable(
        "Cold start",
        ["model", "threads", "SavedModel", "load ms", "first call ms"],
        rows,
    )


def _notes(
    settings: ServingSettings, found: Mapping[int, Mapping[str, _Served]]
) -> list[str]:
    threads, count = min(found), max(settings.candidates)
    lines = [
        f"{settings.repeats} calls each, in turn. {_TILED} gets the same "
        "request and repeats what is shared inside the graph."
    ]
    for label, served in found[threads].items():
        ratio = _ratio(served.calls, count)
        lines.append(
            f"{label}: {count} candidates by {RANK} in 1 / "
            f"{ratio.median:.2f} of the time "
            f"({ratio.lower:.2f} to {ratio.upper:.2f})."
        )
    return lines


def _chart(threads: int, by_model: Mapping[str, _Served]) -> Chart:
    lines: dict[str, list[tuple[float, float, Any]]] = {}
    for label in by_model:
        if label not in _DRAWN:
            continue
        for (signature, count), seconds in by_model[label].calls.items():
            words = RANK if signature == RANK else "tiled"
            found = spread(seconds)
            ends = (1e3 * found.lower, 1e3 * found.upper)
            point = (float(count), 1e3 * found.median, ends)
            lines.setdefault(f"{label}, {words}", []).append(point)
    title = f"{threads} thread{'s' * (threads > 1)}"
    return Chart(title, "candidates", "ms a request", lines)
