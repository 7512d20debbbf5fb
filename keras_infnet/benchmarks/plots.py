"""Plots of benchmarks."""

import os
import textwrap
from collections.abc import Sequence
from typing import Any

__all__ = ["draw"]

# Palette of Okabe and Ito, which is safe for color blindness.
_COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
_MARKERS = "osD^vPX"


def draw(
    charts: Sequence[Any], title: str, path: str | os.PathLike[str]
) -> None:
    """Draws the charts of a report side by side."""
    # Without `pyplot`, which has global state and may open windows.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * len(charts), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for index, chart in enumerate(charts, 1):
        axes = figure.add_subplot(1, len(charts), index)
        axes.set_title(textwrap.fill(chart.title, 56), fontsize=9)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if chart.bars:
            _draw_bars(axes, chart)
        else:
            _draw_lines(axes, chart)
    figure.savefig(os.fspath(path), dpi=150, format="png")


def _draw_lines(axes: Any, chart: Any) -> None:
    for index, (name, points) in enumerate(chart.lines.items()):
        low, middle, high = (
            [1e3 * getattr(spread, name) for spread in points.values()]
            for name in ("lower", "median", "upper")
        )
        color = _COLORS[index % len(_COLORS)]
        axes.plot(
            list(points),
            middle,
            color=color,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=5,
            # Single points may overlap: hollow markers show all of them.
            markerfacecolor=color if len(points) > 1 else "none",
            label=name,
        )
        axes.fill_between(
            list(points), low, high, color=color, alpha=0.15, lw=0
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    # One tick per measured size.
    axes.set_xticks(sorted({x for line in chart.lines.values() for x in line}))
    axes.set_xticks([], minor=True)
    # At least a tenfold range: small growth must look small.
    low, high = axes.get_ylim()
    margin = max(1.0, (10.5 / (high / low)) ** 0.5)
    axes.set_ylim(low / margin, high * margin)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, place: f"{value:,.10g}")
        axis.set_minor_formatter(lambda value, place: "")
    axes.grid(True, which="major", color="#dddddd", lw=0.6)
    axes.legend(frameon=False, fontsize=8)


def _draw_bars(axes: Any, chart: Any) -> None:
    names = list(chart.bars)[::-1]
    spreads = [chart.bars[name] for name in names]
    middles = [spread.median for spread in spreads]
    errors = [
        [spread.median - spread.lower for spread in spreads],
        [spread.upper - spread.median for spread in spreads],
    ]
    axes.barh(names, middles, xerr=errors, color=_COLORS[0], height=0.6)
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:,.10g}")
    axes.margins(x=0.12)
    for place, spread in enumerate(spreads):
        axes.annotate(
            f"{spread.median:,.0f}",
            (spread.upper, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
