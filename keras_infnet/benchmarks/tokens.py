"""Time and memory of INFNet blocks by number of tokens."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_infnet.benchmarks import infnet_blocks
from keras_infnet.benchmarks.infnet_blocks import (
    BLOCKS,
    block_call,
    call_seconds,
)
from keras_infnet.benchmarks.machine import accelerator
from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    milliseconds,
    percent,
    quotient,
    size,
)
from keras_infnet.benchmarks.settings import TokensSettings
from keras_infnet.benchmarks.subprocess_measurement import call_in_child
from keras_infnet.benchmarks.timing import (
    Case,
    interleave,
    ratios,
    slope,
    spread,
    upper_half,
)

__all__ = ["measure"]

Times = Mapping[str, Sequence[float]]


@dataclasses.dataclass(frozen=True)
class _Point:
    """A block with `count` fields and `length` events."""

    block: str
    count: int
    length: int

    @property
    def name(self) -> str:
        return f"{self.block}, M = {self.count}, L = {self.length}"

    def arguments(self, settings: TokensSettings) -> dict[str, Any]:
        """Returns the arguments of `block_call`."""
        return {
            **dataclasses.asdict(self),
            "batch_size": settings.batch_size,
            "dim": settings.dim,
            "training": settings.training,
        }

    @property
    def rival(self) -> "_Point":
        """The all-to-all block of the same variant and size."""
        if self.block.startswith("all-to-all"):
            return self
        return dataclasses.replace(self, block=f"all-to-all, {self.block}")


@dataclasses.dataclass(frozen=True)
class _Sweep:
    """Growing events (L) or fields (M), with the other number constant."""

    symbol: str
    sizes: tuple[int, ...]
    other: int

    @property
    def title(self) -> str:
        if self.symbol == "L":
            return f"growing events L, {self.other} fields"
        return f"growing fields M, {self.other} events"

    def point(self, block: str, size: int) -> _Point:
        if self.symbol == "L":
            return _Point(block, self.other, size)
        return _Point(block, size, self.other)


def measure(settings: TokensSettings, log: Callable[[str], None]) -> Report:
    """Measures blocks with growing numbers of tokens."""
    sweeps = [
        _Sweep("L", tuple(settings.lengths), settings.count),
        _Sweep("M", tuple(settings.counts), settings.length),
    ]
    claims = [
        _Point(block, settings.claim_count, settings.claim_length)
        for block in BLOCKS
    ]
    points = dict.fromkeys(
        sweep.point(block, count)
        for sweep in sweeps
        for block in BLOCKS
        for count in sweep.sizes
    )
    points |= dict.fromkeys(claims)
    cases = [
        Case(point.name, call_seconds(block_call(**point.arguments(settings))))
        for point in points
    ]
    times = interleave(cases, settings.repeats, log)
    memory, notes = _memory(settings, sweeps, claims, log)
    slopes = [
        _slopes(sweep, block, times, memory)
        for sweep in sweeps
        for block in BLOCKS
    ]
    tables = [_table(sweep, times, memory, settings) for sweep in sweeps]
    claim, lines = _claim(claims, times, memory)
    return Report(
        settings,
        [*tables, _slope_table(slopes)],
        lines + notes,
        {
            "points": [
                {
                    **dataclasses.asdict(point),
                    "seconds": times[point.name],
                    "bytes": memory.get(point),
                }
                for point in points
            ],
            "slopes": slopes,
            "claim": claim,
        },
        [_chart(sweep, times) for sweep in sweeps],
    )


def _memory(
    settings: TokensSettings,
    sweeps: Sequence[_Sweep],
    claims: Sequence[_Point],
    log: Callable[[str], None],
) -> tuple[dict[_Point, int], list[str]]:
    """Measures the larger points; small ones use less than a memory page."""
    if not settings.memory:
        return {}, []
    if accelerator() is not None:
        return {}, [
            "Memory was not measured: the blocks run on an accelerator."
        ]
    wanted = dict.fromkeys(
        sweep.point(block, count)
        for block in BLOCKS
        for sweep in sweeps
        for count in upper_half(sweep.sizes)
    )
    wanted |= dict.fromkeys(claims)
    found: dict[_Point, int] = {}
    for number, point in enumerate(wanted, 1):
        log(f"memory {number} of {len(wanted)}: {point.name}")
        value = call_in_child(
            f"{infnet_blocks.__name__}:memory_of_block",
            point.arguments(settings),
        )
        if value is None:
            return {}, [
                "Memory was not measured: not supported on this system."
            ]
        found[point] = value
    return found, []


def _table(
    sweep: _Sweep,
    times: Times,
    memory: Mapping[_Point, int],
    settings: TokensSettings,
) -> SectionTable:
    points = [
        (count, sweep.point(block, count))
        for block in BLOCKS
        for count in sweep.sizes
    ]
    rows = [
        [
            point.block,
            f"{count}",
            *milliseconds(spread(times[point.name])),
            *quotient(ratios(times, point.name, point.rival.name)),
            size(memory[point]) if point in memory else "-",
        ]
        for count, point in points
    ]
    headings = ["block", sweep.symbol, "ms", "quartiles", "over all-to-all"]
    headings += ["range", "memory"]
    what = "forward and backward pass" if settings.training else "inference"
    title = f"One block, {what}, {sweep.title}, batch {settings.batch_size}, "
    return SectionTable(f"{title}width {settings.dim}", headings, rows)


def _slopes(
    sweep: _Sweep, block: str, times: Times, memory: Mapping[_Point, int]
) -> dict[str, Any]:
    upper = upper_half(sweep.sizes)
    points = {count: sweep.point(block, count) for count in sweep.sizes}
    medians = {n: spread(times[p.name]).median for n, p in points.items()}
    # A call without measurable memory has no logarithm.
    used = [memory.get(points[count], 0) for count in upper]
    return {
        "block": block,
        "symbol": sweep.symbol,
        "from": upper[0],
        "to": upper[-1],
        "time_all": slope(list(medians), list(medians.values())),
        "time_upper": slope(upper, [medians[n] for n in upper]),
        "memory_upper": slope(upper, used) if min(used) > 0 else None,
    }


def _slope_table(slopes: Sequence[Mapping[str, Any]]) -> SectionTable:
    return SectionTable(
        "Log-log slopes: 1 is linear growth, 2 quadratic",
        ["block", "of", "time", "time, upper", "memory, upper", "upper half"],
        [
            [
                line["block"],
                line["symbol"],
                *(
                    "-" if line[name] is None else f"{line[name]:.2f}"
                    for name in ("time_all", "time_upper", "memory_upper")
                ),
                f"{line['from']} - {line['to']}",
            ]
            for line in slopes
        ],
    )


def _claim(
    claims: Sequence[_Point], times: Times, memory: Mapping[_Point, int]
) -> tuple[dict[str, Any], list[str]]:
    """Compares hubs and proxies with all-to-all attention at one large size."""
    results: dict[str, Any] = {}
    lines = []
    for point in claims:
        rival = point.rival
        if rival == point:
            continue
        ratio = ratios(times, point.name, rival.name)
        saved = None
        line = (
            f"{point.name}: {percent(ratio.median - 1)} time "
            f"({percent(ratio.smallest - 1)} to {percent(ratio.largest - 1)})"
        )
        if memory.get(rival, 0) > 0:
            saved = memory[point] / memory[rival]
            line += f", {percent(saved - 1)} memory"
        results[point.block] = {
            "count": point.count,
            "length": point.length,
            "over_all_to_all": {
                "time": dataclasses.asdict(ratio),
                "memory": saved,
            },
        }
        lines.append(f"{line} against {rival.block}.")
    return results, lines


def _chart(sweep: _Sweep, times: Times) -> Chart:
    lines = {
        block: {
            count: spread(times[sweep.point(block, count).name])
            for count in sweep.sizes
        }
        for block in BLOCKS
    }
    label = "events L" if sweep.symbol == "L" else "fields M"
    return Chart(sweep.title, label, "ms per call", lines)
