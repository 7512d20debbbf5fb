"""Times, ratios and slopes, by hand."""

import pytest

from keras_infnet.benchmarks.report import (
    milliseconds,
    percent,
    quotient,
    rate,
)
from keras_infnet.benchmarks.timing import (
    Case,
    Spread,
    interleave,
    ratios,
    slope,
    spread,
    upper_half,
)


def test_cases_take_turns_and_every_second_round_goes_back():
    calls = []

    def case(name, seconds):
        values = iter(seconds)

        def run():
            calls.append(name)
            return next(values)

        return Case(name, run)

    messages = []
    cases = [case("a", [9, 1, 2, 3]), case("b", [9, 4, 5, 6])]
    times = interleave(cases, 3, messages.append)
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    # The first call of each, which compiles, does not count.
    assert times == {"a": [1, 2, 3], "b": [4, 5, 6]}
    assert sum(line.startswith("round") for line in messages) == 3
    assert sum(line.startswith("warmed up") for line in messages) == 2


def test_spread_is_median_and_quartiles():
    found = spread([7.0, 1.0, 5.0, 3.0])
    assert found == Spread(4.0, 2.5, 5.5, 1.0, 7.0)
    assert spread([2.0]) == Spread(2.0, 2.0, 2.0, 2.0, 2.0)


def test_ratios_are_taken_within_a_round():
    # The machine is three times slower in the second round.
    times = {"slow": [2.0, 6.0, 4.0], "fast": [1.0, 3.0, 1.0]}
    found = ratios(times, "slow", "fast")
    assert (found.median, found.smallest, found.largest) == (2.0, 2.0, 4.0)
    assert ratios(times, "fast", "fast").largest == 1.0
    with pytest.raises(ValueError, match="zip"):
        ratios({"a": [1.0], "b": [1.0, 2.0]}, "a", "b")


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_slope_is_the_exponent(power):
    sizes = [50, 100, 400, 1600]
    assert slope(sizes, [3 * n**power for n in sizes]) == pytest.approx(power)


@pytest.mark.parametrize(
    ("sizes", "upper"),
    [
        ([1, 2], [1, 2]),
        ([1, 2, 3], [2, 3]),
        ([1, 2, 3, 4], [3, 4]),
        ([1, 2, 3, 4, 5], [3, 4, 5]),
    ],
)
def test_upper_half_keeps_two_at_least(sizes, upper):
    assert upper_half(sizes) == upper


@pytest.mark.parametrize(
    ("seconds", "cell"),
    [
        (0.0000123, "0.0123"),
        (0.00123, "1.23"),
        (0.0123, "12.3"),
        (4.5, "4,500"),
    ],
)
def test_times_have_three_digits(seconds, cell):
    assert milliseconds(spread([seconds]))[0] == cell


def test_cells():
    assert rate(spread([1000.0, 2000.0, 4500.0])) == ["2,000", "1,500 - 3,250"]
    assert quotient(spread([1.0, 2.0, 4.5])) == ["2.00", "1.00 - 4.50"]
    assert percent(-0.431) == "-43.1 %"
    assert percent(0.02) == "+2.0 %"
