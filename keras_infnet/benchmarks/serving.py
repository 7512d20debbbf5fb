"""Latency of ranking candidates with an exported model."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_infnet import models
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
    "INFNet hub": {"name": "INFNet"},
    "INFNet proxy": {"name": "INFNet", "variant": "proxy"},
    # The same tokens, without hubs.
    "INFNet all-to-all": {
        "name": "INFNet",
        "ablate": "hubs",
        "tower_inputs": "task",
    },
    **{
        name: {"name": name} for name in ("SharedBottom", "PLE", "DIN", "DCNv2")
    },
}
_TINY = ("INFNet hub", "DCNv2")
# More lines would be indistinguishable.
_DRAWN = ("INFNet hub", "INFNet proxy", "SharedBottom")
_TILED = f"tiled {ENCODED}"
_WARM_UP = 3

# Seconds of the calls of a model by signature and number of candidates.
Calls = Mapping[tuple[str, int], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class _Served:
    """Seconds of the calls of one model, and of its cold start."""

    calls: Calls
    load: float
    first: float

    def ratio(self, count: int) -> Spread:
        """Returns the time of the tiled signature over that of `rank`."""
        times = {name: self.calls[name, count] for name in (ENCODED, RANK)}
        return ratios(times, ENCODED, RANK)


# Results by number of threads and label of the model.
Found = Mapping[int, Mapping[str, _Served]]


def measure(settings: ServingSettings, log: Callable[[str], None]) -> Report:
    """Measures requests in C++, as a server runs them, without a network."""
    why = problem()
    if why is not None:
        raise ValueError(f"bench serving runs models in C++: {why}.")
    schema = serving_schema(settings.length, settings.tiny)
    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(temporary)
        labels = _TINY if settings.tiny else tuple(_MODELS)
        folders = [_build(label, schema, place, log) for label in labels]
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
            lines = runner.time(
                folders, [r for _, r in requests], settings.repeats, _WARM_UP
            )
            keys = [key for key, _ in requests]
            found[threads] = {
                label: _served(lines, index, label, keys)
                for index, label in enumerate(labels)
            }
    return Report(
        settings,
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


def _build(
    label: str, schema: Schema, place: pathlib.Path, log: Callable[[str], None]
) -> pathlib.Path:
    """Builds a SavedModel and its schema in a new directory."""
    log(f"building {label}")
    config = dict(_MODELS[label])
    model_class = getattr(models, config.pop("name"))
    folder = place / label.replace(" ", "_")
    folder.mkdir()
    path = folder / "model.keras"
    model_class.from_preset("small", schema, **config).save(path)
    schema.save(folder / "schema.json")
    with building(folder):
        pass
    path.unlink()
    return folder


def _requests(
    schema: Schema, counts: Sequence[int]
) -> list[tuple[tuple[str, int], tuple[str, dict[str, np.ndarray]]]]:
    """Returns requests to both signatures, the smallest first."""
    inputs = example_inputs(schema, rows=max(counts), seed=1)
    for behavior in schema.behaviors:
        # Full histories, so that all models read the same number of events.
        inputs[behavior.mask_input][:] = True
    requests = []
    for count in counts:
        arrays = {
            name: array[: 1 if name in schema.shared_inputs else count]
            for name, array in inputs.items()
        }
        for name in (RANK, ENCODED):
            requests.append(((name, count), (name, arrays)))
    return requests


def _served(
    lines: Sequence[Mapping[str, Any]],
    index: int,
    label: str,
    keys: Sequence[tuple[str, int]],
) -> _Served:
    """Reads what the C++ program printed about one model."""
    own = [line for line in lines if line["folder"] == index]
    for line in own:
        if line["status"]:
            raise RuntimeError(f"a request to {label} failed: {line}")
    calls = {
        keys[line["request"]]: [
            1e-6 * (prepare + run)
            for prepare, run in zip(
                line["prepare_us"], line["run_us"], strict=True
            )
        ]
        for line in own
    }
    first = next(line for line in own if line["request"] == 0)
    return _Served(calls, 1e-6 * first["load_us"], 1e-6 * first["first_us"])


def _table(
    settings: ServingSettings, threads: int, by_model: Mapping[str, _Served]
) -> SectionTable:
    rows = []
    for label, served in by_model.items():
        for count in settings.candidates:
            ratio = quotient(served.ratio(count))
            for signature, title, cells in (
                (RANK, RANK, ratio),
                (ENCODED, _TILED, ["", ""]),
            ):
                seconds = served.calls[signature, count]
                p50, p99 = np.percentile(seconds, [50, 99])
                row = [label, title, f"{count}"]
                row += [milliseconds(spread(seconds))[0], f"{1e3 * p99:,.2f}"]
                rows.append([*row, f"{count / p50:,.0f}", *cells])
    headings = ["model", "signature", "candidates", "p50 ms", "p99 ms"]
    return SectionTable(
        f"One request of one user, {settings.length} events, "
        f"{threads} thread{'s' * (threads > 1)}",
        [*headings, "candidates/s", "tiled / rank", "range"],
        rows,
    )


def _cold_table(found: Found, sizes: Mapping[str, int]) -> SectionTable:
    return SectionTable(
        "Cold start",
        ["model", "threads", "SavedModel", "load ms", "first call ms"],
        [
            [
                label,
                f"{threads}",
                size(sizes[label]),
                f"{1e3 * served.load:,.0f}",
                f"{1e3 * served.first:,.0f}",
            ]
            for threads, by_model in found.items()
            for label, served in by_model.items()
        ],
    )


def _notes(settings: ServingSettings, found: Found) -> list[str]:
    threads, count = min(found), max(settings.candidates)
    lines = [
        f"{settings.repeats} calls each, in turn. {_TILED} gets the same "
        "request and repeats the shared inputs inside the graph."
    ]
    for label, served in found[threads].items():
        ratio = served.ratio(count)
        lines.append(
            f"{label}: {RANK} is {ratio.median:.2f} times as fast for "
            f"{count} candidates ({ratio.lower:.2f} to {ratio.upper:.2f})."
        )
    return lines


def _chart(threads: int, by_model: Mapping[str, _Served]) -> Chart:
    lines: dict[str, dict[float, Spread]] = {}
    for label in [name for name in _DRAWN if name in by_model]:
        for (signature, count), seconds in by_model[label].calls.items():
            name = RANK if signature == RANK else "tiled"
            lines.setdefault(f"{label}, {name}", {})[count] = spread(seconds)
    title = f"{threads} thread{'s' * (threads > 1)}"
    return Chart(title, "candidates", "ms per request", lines)
