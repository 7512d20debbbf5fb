"""What does a block cost as tokens become more?"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_infnet.benchmarks import infnet_blocks
from keras_infnet.benchmarks.infnet_blocks import (
    BLOCKS,
    block_call,
    call_seconds,
)
from keras_infnet.benchmarks.machine import describe_machine
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


@dataclasses.dataclass(frozen=True)
class _Sweep:
    """One number of tokens grows, the other stays."""

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
    """Measures blocks with more and more tokens."""
    machine = describe_machine()
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
    shape = settings.batch_size, settings.dim, settings.training
    cases = [
        Case(
            point.name,
            call_seconds(
                block_call(point.block, point.count, point.length, *shape)
            ),
        )
        for point in points
    ]
    times = interleave(cases, settings.repeats, log)
    memory, notes = _memory(settings, sweeps, claims, machine, log)
    tables, slopes = [], []
    for sweep in sweeps:
        tables.append(_table(sweep, times, memory, settings))
        slopes += _slopes(sweep, times, memory)
    tables.append(_slope_table(slopes))
    claim, lines = _claim(claims, times, memory)
    return Report(
        "tokens",
        machine,
        dataclasses.asdict(settings),
        tables,
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
    machine: Mapping[str, Any],
    log: Callable[[str], None],
) -> tuple[dict[_Point, int], list[str]]:
    """Bytes of the larger points: small ones vanish in what a page costs."""
    if not settings.memory:
        return {}, []
    if machine["accelerator"] is not None:
        return {}, ["Memory was not measured: the blocks run elsewhere."]
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
            {
                "name": point.block,
                "count": point.count,
                "length": point.length,
                "batch_size": settings.batch_size,
                "dim": settings.dim,
                "training": settings.training,
            },
        )
        if value is None:
            return {}, ["Memory was not measured: the system has no peaks."]
        found[point] = value
    return found, []


def _table(
    sweep: _Sweep,
    times: Times,
    memory: Mapping[_Point, int],
    settings: TokensSettings,
) -> SectionTable:
    rows = []
    for block in BLOCKS:
        for count in sweep.sizes:
            point = sweep.point(block, count)
            rows.append(
                [
                    block,
                    f"{count}",
                    *milliseconds(spread(times[point.name])),
                    *quotient(ratios(times, point.name, _rival(point).name)),
                    size(memory[point]) if point in memory else "-",
                ]
            )
    what = "forward and backward pass" if settings.training else "inference"
    return SectionTable(
        f"One block, {what}, {sweep.title}, batch {settings.batch_size}, "
        f"width {settings.dim}",
        [
            "block",
            sweep.symbol,
            "ms",
            "quartiles",
            "over all-to-all",
            "range",
            "memory",
        ],
        rows,
    )


def _rival(point: _Point) -> _Point:
    """The all-to-all block of the same variant and size."""
    if point.block.startswith("all-to-all"):
        return point
    return dataclasses.replace(point, block=f"all-to-all, {point.block}")


def _slopes(
    sweep: _Sweep, times: Times, memory: Mapping[_Point, int]
) -> list[dict[str, Any]]:
    found = []
    for block in BLOCKS:
        upper = upper_half(sweep.sizes)
        points = {count: sweep.point(block, count) for count in sweep.sizes}
        middle = {n: spread(times[p.name]).median for n, p in points.items()}
        # A call that adds nothing that can be seen has no logarithm.
        used = [memory.get(points[count], 0) for count in upper]
        found.append(
            {
                "block": block,
                "symbol": sweep.symbol,
                "from": upper[0],
                "to": upper[-1],
                "time_all": slope(list(middle), list(middle.values())),
                "time_upper": slope(upper, [middle[n] for n in upper]),
                "memory_upper": slope(upper, used) if min(used) > 0 else None,
            }
        )
    return found


def _slope_table(slopes: Sequence[Mapping[str, Any]]) -> SectionTable:
    rows = []
    for line in slopes:
        memory = line["memory_upper"]
        rows.append(
            [
                line["block"],
                line["symbol"],
                f"{line['time_all']:.2f}",
                f"{line['time_upper']:.2f}",
                "-" if memory is None else f"{memory:.2f}",
                f"{line['from']} - {line['to']}",
            ]
        )
    return SectionTable(
        "Slopes in log-log: 1 is linear growth, 2 quadratic",
        ["block", "of", "time", "time, upper", "memory, upper", "upper half"],
        rows,
    )


def _claim(
    claims: Sequence[_Point], times: Times, memory: Mapping[_Point, int]
) -> tuple[dict[str, Any], list[str]]:
    """Time and memory that hubs and proxies save at one large size."""
    results: dict[str, Any] = {}
    lines = []
    for point in claims:
        rival = _rival(point)
        if rival == point:
            continue
        ratio = ratios(times, point.name, rival.name)
        saved: dict[str, Any] = {
            "time": dataclasses.asdict(ratio),
            "memory": None,
        }
        line = (
            f"{point.name}: {percent(ratio.median - 1)} time "
            f"({percent(ratio.smallest - 1)} to {percent(ratio.largest - 1)})"
        )
        if memory.get(rival, 0) > 0:
            saved["memory"] = memory[point] / memory[rival]
            line += f", {percent(memory[point] / memory[rival] - 1)} memory"
        results[point.block] = {
            "count": point.count,
            "length": point.length,
            "over_all_to_all": saved,
        }
        lines.append(f"{line} against {rival.block}.")
    return results, lines


def _chart(sweep: _Sweep, times: Times) -> Chart:
    lines = {}
    for block in BLOCKS:
        points: list[tuple[float, float, Any]] = []
        for count in sweep.sizes:
            found = spread(times[sweep.point(block, count).name])
            ends = (1e3 * found.lower, 1e3 * found.upper)
            points.append((float(count), 1e3 * found.median, ends))
        lines[block] = points
    label = "events L" if sweep.symbol == "L" else "fields M"
    return Chart(sweep.title, label, "ms a call", lines)
