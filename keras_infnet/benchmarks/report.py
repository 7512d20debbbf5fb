"""Report of a benchmark: tables, a file of numbers, a plot."""

import dataclasses
import importlib.util
import json
import math
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_infnet.benchmarks.machine import describe_machine, machine_lines
from keras_infnet.benchmarks.plots import draw
from keras_infnet.benchmarks.settings import Settings
from keras_infnet.benchmarks.timing import Spread
from keras_infnet.utils.atomic_files import replacing, write_text
from keras_infnet.utils.installation import install_command
from keras_infnet.utils.json_values import json_safe
from keras_infnet.utils.tables import aligned_table

__all__ = [
    "Chart",
    "Report",
    "SectionTable",
    "milliseconds",
    "percent",
    "quotient",
    "rate",
    "size",
]


@dataclasses.dataclass(frozen=True)
class SectionTable:
    """A table of a report."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Returns title and aligned columns, the first one left-aligned."""
        return f"{self.title}\n{aligned_table([self.headings, *self.rows])}"


@dataclasses.dataclass(frozen=True)
class Chart:
    """One plot: lines of seconds by x, drawn in milliseconds, or bars."""

    title: str
    x_label: str
    y_label: str = ""
    lines: Mapping[str, Mapping[Any, Spread]] = dataclasses.field(
        default_factory=dict
    )
    bars: Mapping[str, Spread] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Report:
    """Result of a benchmark; `machine` describes hardware and versions.

    Args:
        settings: settings of the benchmark, which also name it.
        tables: list of tables.
        notes: list of strings, printed below the tables, one per line.
        results: dict of plain values: all numbers behind the tables.
        charts: list of charts. If it is empty, no plot is written. Defaults
            to `()`.
    """

    settings: Settings
    tables: Sequence[SectionTable]
    notes: Sequence[str]
    results: dict[str, Any]
    charts: Sequence[Chart] = ()
    machine: dict[str, Any] = dataclasses.field(
        init=False, default_factory=describe_machine
    )

    def text(self) -> str:
        """Returns the tables and notes, for the terminal."""
        parts = [table.text() for table in self.tables]
        if self.notes:
            parts.append("\n".join(self.notes))
        parts.append("\n".join(machine_lines(self.machine)))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything except the charts as plain values."""
        return json_safe(
            {
                "benchmark": self.settings.benchmark,
                "machine": self.machine,
                "settings": dataclasses.asdict(self.settings),
                "results": self.results,
                "notes": self.notes,
                "tables": [dataclasses.asdict(t) for t in self.tables],
            }
        )

    def save(
        self, folder: str | os.PathLike[str], log: Callable[[str], None]
    ) -> pathlib.Path:
        """Writes the numbers and, with matplotlib, a plot.

        Args:
            folder: path. Created if absent.
            log: callable taking a string. Receives the paths of the files.

        Returns:
            Path of the JSON file, `{benchmark}-{backend}.json`.
        """
        name, backend = self.settings.benchmark, self.machine["backend"]
        path = pathlib.Path(folder) / f"{name}-{backend}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        write_text(path, text)
        written = f"Wrote {path}"
        if not self.charts:
            log(f"{written}.")
        elif importlib.util.find_spec("matplotlib") is None:
            log(
                f"{written}. No plot: matplotlib is not installed "
                f"({install_command('plot')})."
            )
        else:
            picture = path.with_suffix(".png")
            with replacing(picture) as temporary:
                draw(self.charts, f"{name}, {backend}", temporary)
            log(f"{written} and {picture}.")
        return path


def milliseconds(seconds: Spread) -> list[str]:
    """Formats median and quartiles of seconds as two cells."""
    # At least three digits, for microseconds as for minutes.
    digits = max(0, 2 - math.floor(math.log10(max(seconds.median, 1e-9)) + 3))
    low, middle, high = (
        f"{1e3 * value:,.{digits}f}"
        for value in (seconds.lower, seconds.median, seconds.upper)
    )
    return [middle, f"{low} - {high}"]


def rate(numbers: Spread) -> list[str]:
    """Formats median and quartiles of a rate as two cells."""
    quartiles = f"{numbers.lower:,.0f} - {numbers.upper:,.0f}"
    return [f"{numbers.median:,.0f}", quartiles]


def quotient(ratio: Spread) -> list[str]:
    """Formats median and range of a ratio as two cells."""
    return [
        f"{ratio.median:.2f}",
        f"{ratio.smallest:.2f} - {ratio.largest:.2f}",
    ]


def percent(part: float) -> str:
    """Formats a fraction as a signed percentage."""
    return f"{100 * part:+.1f} %"


def size(count: float) -> str:
    """Formats bytes in MiB."""
    return f"{count / 2**20:,.0f} MiB"
