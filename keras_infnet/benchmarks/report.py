"""The result of a benchmark: tables, a file of numbers, a plot."""

import dataclasses
import importlib.util
import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from keras_infnet.benchmarks.machine import machine_lines
from keras_infnet.benchmarks.plots import draw
from keras_infnet.benchmarks.timing import Spread
from keras_infnet.utils.atomic_files import replacing, write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.utils.tables import aligned_table

__all__ = [
    "Chart",
    "Report",
    "SectionTable",
    "milliseconds",
    "percent",
    "quotient",
    "size",
]


@dataclasses.dataclass(frozen=True)
class SectionTable:
    """A table of a report."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Returns title and aligned columns, the first one to the left."""
        return f"{self.title}\n{aligned_table([self.headings, *self.rows])}"


@dataclasses.dataclass(frozen=True)
class Chart:
    """One picture of a plot."""

    title: str
    x_label: str
    y_label: str
    lines: dict[str, list[tuple[float, float, Any]]]
    bars: dict[str, Spread] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a benchmark found.

    Args:
        name: string. Name of the benchmark.
        machine: dict of `describe_machine`.
        settings: dict of plain values, what was asked for.
        tables: list of `SectionTable`.
        notes: list of strings, one a line below the tables.
        results: dict of plain values: all numbers behind the tables.
        charts: list of `Chart`. Without any there is no plot.
    """

    name: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    tables: Sequence[SectionTable]
    notes: Sequence[str]
    results: dict[str, Any]
    charts: Sequence[Chart]

    def text(self) -> str:
        """Returns what the terminal shows."""
        parts = [table.text() for table in self.tables]
        if self.notes:
            parts.append("\n".join(self.notes))
        parts.append("\n".join(machine_lines(self.machine)))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the charts as plain values."""
        return json_safe(
            {
                "benchmark": self.name,
                "machine": self.machine,
                "settings": self.settings,
                "results": self.results,
                "notes": self.notes,
                "tables": [dataclasses.asdict(t) for t in self.tables],
            }
        )

    def save(
        self, folder: str | os.PathLike[str], log: Callable[[str], None]
    ) -> pathlib.Path:
        """Writes numbers and, with matplotlib, a plot, each in one step.

        Args:
            folder: path. Made if it is not there.
            log: function of a string. Told what was written.

        Returns:
            Path of the JSON file, `{name}-{backend}.json`.
        """
        place = pathlib.Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{self.name}-{self.machine['backend']}.json"
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        write_text(path, text)
        written = f"Wrote {path}"
        if not self.charts:
            log(f"{written}.")
            return path
        if importlib.util.find_spec("matplotlib") is None:
            log(
                f"{written}. No plot: matplotlib is not installed "
                '(python -m pip install "keras-infnet[plot]").'
            )
            return path
        picture = path.with_suffix(".png")
        title = f"{self.name}, {self.machine['backend']}"
        with replacing(picture) as temporary:
            draw(self.charts, title, temporary)
        log(f"{written} and {picture}.")
        return path


def milliseconds(seconds: Spread) -> list[str]:
    """Writes median and quartiles of seconds as two cells."""
    # Three digits at least, of microseconds as of minutes.
    digits = max(0, 2 - math.floor(math.log10(max(seconds.median, 1e-9)) + 3))
    low, middle, high = (
        f"{1e3 * value:,.{digits}f}"
        for value in (seconds.lower, seconds.median, seconds.upper)
    )
    return [middle, f"{low} - {high}"]


def quotient(ratio: Spread) -> list[str]:
    """Writes median and ends of a ratio as two cells."""
    return [
        f"{ratio.median:.2f}",
        f"{ratio.smallest:.2f} - {ratio.largest:.2f}",
    ]


def percent(part: float) -> str:
    """Writes a share of 1 with its sign."""
    return f"{100 * part:+.1f} %"


def size(count: float) -> str:
    """Writes bytes in MiB."""
    return f"{count / 2**20:,.0f} MiB"
