"""Interleaved timing of cases, and statistics of times and ratios."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = [
    "Case",
    "Spread",
    "interleave",
    "ratios",
    "slope",
    "spread",
    "upper_half",
]


@dataclasses.dataclass(frozen=True)
class Case:
    """A named function that returns its time in seconds."""

    name: str
    run: Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, quartiles and range of some numbers."""

    median: float
    lower: float
    upper: float
    smallest: float
    largest: float


def interleave(
    cases: Sequence[Case],
    repeats: int,
    log: Callable[[str], None],
) -> dict[str, list[float]]:
    """Runs all cases in turn, round after round.

    A slow phase of the machine affects all cases of a round, so ratios within
    a round stay fair. Every second round runs in reverse order. A first round,
    which compiles and fills caches, is not counted.

    Example:

    >>> cases = [Case("one", lambda: 1.0), Case("two", lambda: 2.0)]
    >>> interleave(cases, 3, log=lambda text: None)
    {'one': [1.0, 1.0, 1.0], 'two': [2.0, 2.0, 2.0]}
    """
    for number, case in enumerate(cases, 1):
        started = time.perf_counter()
        case.run()
        seconds = time.perf_counter() - started
        log(
            f"warmed up {number} of {len(cases)}: {case.name} ({seconds:.1f} s)"
        )
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    for index in range(repeats):
        started = time.perf_counter()
        for case in cases[:: -1 if index % 2 else 1]:
            times[case.name].append(case.run())
        seconds = time.perf_counter() - started
        log(f"round {index + 1} of {repeats} ({seconds:.1f} s)")
    return times


def spread(values: Sequence[float]) -> Spread:
    """Summarizes the rounds of a case.

    Example:

    >>> spread([4.0, 1.0, 2.0, 3.0, 10.0])
    Spread(median=3.0, lower=2.0, upper=4.0, smallest=1.0, largest=10.0)
    """
    lower, median, upper = np.percentile(values, [25, 50, 75])
    return Spread(
        float(median),
        float(lower),
        float(upper),
        float(min(values)),
        float(max(values)),
    )


def ratios(
    times: Mapping[str, Sequence[float]], above: str, below: str
) -> Spread:
    """Divides the times of two cases, round by round.

    Example:

    >>> times = {"slow": [4.0, 9.0, 8.0], "fast": [1.0, 3.0, 4.0]}
    >>> ratios(times, "slow", "fast").median
    3.0
    """
    pairs = zip(times[above], times[below], strict=True)
    return spread([one / other for one, other in pairs])


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Fits the exponent of growth, a straight line in log-log space.

    Example:

    >>> slope([10, 20, 40], [3.0, 12.0, 48.0])
    2.0
    """
    return round(float(np.polyfit(np.log(sizes), np.log(values), 1)[0]), 12)


def upper_half(sizes: Sequence[int]) -> list[int]:
    """Returns the larger half of the sizes, at least two.

    Small sizes measure the overhead of a call, large ones the cost per token.

    Example:

    >>> upper_half([50, 100, 200, 400, 800, 1600]), upper_half([1, 2])
    ([400, 800, 1600], [1, 2])
    """
    return list(sizes[min(len(sizes) // 2, max(0, len(sizes) - 2)) :])
