"""Small plots, one a model, each before those of all others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_infnet.experiments.comparison.page.points import (
    CalibrationPoints,
    Curve,
)
from keras_infnet.experiments.comparison.page.style import COLORS
from keras_infnet.experiments.comparison.page.svg import drawn, plain_ticks

__all__ = [
    "calibration_panel",
    "calibration_scale",
    "curve_limits",
    "curve_panel",
]

_INK, _MUTED, _FAINT, _ACCENT = (
    COLORS[name][0] for name in ("ink", "muted", "faint", "accent")
)
# Points of a line: what is more cannot be seen, and is in every panel.
_MOST_POINTS = 50


def curve_limits(
    curves: Sequence[Curve], of_loss: bool = False
) -> tuple[float, float]:
    """Ends of an axis on which the differences of curves are seen well.

    Args:
        curves: list of `Curve`, one at least.
        of_loss: boolean. Whether what is high may be cut off: the first
            twentieth, where losses fall steeply, and one percent of the
            rest. Defaults to `False`.

    Returns:
        Lower and upper end.
    """
    values = []
    for curve in map(_thinned, curves):
        first = len(curve.x) // 20 if of_loss else 0
        values += [curve.low[first:], curve.high[first:]]
    everything = np.concatenate(values)
    low = np.min(everything)
    high = np.quantile(everything, 0.99 if of_loss else 1.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def curve_panel(
    name: str,
    title: str,
    curves: Mapping[str, Curve],
    label: str,
    reference: str,
    axes_labels: tuple[str, str],
    limits: tuple[float, float],
) -> str:
    """Draws one curve before those of all others.

    Args:
        name: string. Prefix of the ids in the page.
        title: string. What the panel shows, for those who cannot see it.
        curves: dict of label to `Curve`.
        label: string. The curve to show.
        reference: string. The one to show it against.
        axes_labels: pair of strings.
        limits: ends of the vertical axis.

    Returns:
        SVG element.
    """

    def paint(axes: Any) -> None:
        from matplotlib.ticker import EngFormatter, MaxNLocator

        lines = {other: _thinned(curve) for other, curve in curves.items()}
        for other, curve in lines.items():
            if other not in (label, reference):
                axes.plot(curve.x, curve.mean, color=_FAINT, lw=0.7)
        if reference in lines:
            curve = lines[reference]
            axes.plot(curve.x, curve.mean, "--", color=_INK, lw=1.0)
        if label != reference:
            curve = lines[label]
            few = "o" if len(curve.x) < 12 else None
            axes.plot(
                curve.x,
                curve.mean,
                color=_ACCENT,
                lw=1.6,
                marker=few,
                ms=3,
            )
        color = _INK if label == reference else _ACCENT
        curve = lines[label]
        axes.fill_between(
            curve.x, curve.low, curve.high, color=color, alpha=0.18, lw=0
        )
        axes.set_ylim(*limits)
        axes.set_xlabel(axes_labels[0], labelpad=2)
        axes.set_ylabel(axes_labels[1], labelpad=2)
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.03)

    return drawn(name, title, (2.7, 1.9), (0.24, 0.21, 0.72, 0.75), paint)


def _thinned(curve: Curve) -> Curve:
    """Means of neighbours, where there are more points than can be seen."""
    count = len(curve.x)
    parts = np.array_split(np.arange(count), min(count, _MOST_POINTS))
    x, mean, low, high = (
        np.array([values[part].mean() for part in parts])
        for values in curve[:4]
    )
    return Curve(x, mean, low, high, curve.runs)


def calibration_scale(
    points: Sequence[CalibrationPoints], binary: bool
) -> tuple[float, float, bool]:
    """Ends of both axes of the calibration of a task.

    Args:
        points: list of `CalibrationPoints`.
        binary: boolean. Whether they are rates.

    Returns:
        Lower end, upper end, and whether the axes are logarithmic: where
        rates differ by more than thirty times, as those of rare labels do.
    """
    values = np.concatenate([p.predicted for p in points])
    seen = np.concatenate([p.observed for p in points])
    low = min(values.min(), seen.min())
    high = max(values.max(), seen.max())
    positive = np.concatenate([values, seen[seen > 0]])
    positive = positive[positive > 0]
    if binary and len(positive) and high > 30 * np.quantile(positive, 0.05):
        return float(positive.min() / 1.5), float(min(1.0, high * 1.5)), True
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin
    if binary:
        low, high = max(0.0, low), min(1.0, high)
    return float(low), float(high), False


def calibration_panel(
    name: str,
    title: str,
    points: Mapping[str, CalibrationPoints],
    label: str,
    reference: str,
    binary: bool,
) -> str:
    """Draws what one model promised against what was observed.

    Args:
        name: string. Prefix of the ids in the page.
        title: string. What the panel shows, for those who cannot see it.
        points: dict of label to `CalibrationPoints`.
        label: string. The model to show.
        reference: string. The one to show it against.
        binary: boolean. Whether labels are 0 or 1.

    Returns:
        SVG element.
    """
    low, high, logarithmic = calibration_scale(list(points.values()), binary)

    def paint(axes: Any) -> None:
        axes.plot([low, high], [low, high], ":", color=_MUTED, lw=1.0)
        for other, found in points.items():
            if other not in (label, reference):
                axes.plot(found.predicted, found.observed, color=_FAINT, lw=0.7)
        if reference in points and label != reference:
            found = points[reference]
            axes.plot(found.predicted, found.observed, "--", color=_INK, lw=1.0)
        found = points[label]
        color = _INK if label == reference else _ACCENT
        axes.errorbar(
            found.predicted,
            found.observed,
            yerr=np.abs(
                [found.observed - found.low, found.high - found.observed]
            ),
            color=color,
            marker="o",
            ms=3,
            lw=1.3,
            elinewidth=1.0,
            linestyle="--" if label == reference else "-",
        )
        if logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log", nonpositive="clip")
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        for axis in (axes.xaxis, axes.yaxis):
            plain_ticks(axis, logarithmic, (1.0,) if high > 30 * low else None)
        axes.set_xlabel("predicted", labelpad=2)
        axes.set_ylabel("observed", labelpad=2)

    return drawn(name, title, (2.7, 2.4), (0.2, 0.17, 0.76, 0.79), paint)
