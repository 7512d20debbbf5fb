"""Quality against cost."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_infnet.experiments.comparison.page.points import (
    pareto_front,
    spread_out,
)
from keras_infnet.experiments.comparison.page.style import COLORS
from keras_infnet.experiments.comparison.page.svg import (
    drawn,
    plain_ticks,
    shorten,
)

__all__ = ["CostPoint", "cost_plot"]

_INK, _MUTED, _FAINT, _PAPER, _ACCENT = (
    COLORS[name][0] for name in ("ink", "muted", "faint", "paper", "accent")
)


class CostPoint(NamedTuple):
    """A model in the plot of quality against cost."""

    label: str
    cost: float | None
    value: float
    low: float
    high: float


def cost_plot(
    name: str,
    title: str,
    points: Sequence[CostPoint],
    reference: str,
    axes_labels: tuple[str, str],
    larger_is_better: bool,
) -> str:
    """Draws quality against cost, with the Pareto front.

    Labels stand at the right in the order of their points, far enough from
    each other. Models without a cost are horizontal lines.

    Args:
        name: string. Prefix of the ids in the page.
        title: string. What the plot shows, for those who cannot see it.
        points: list of `CostPoint`.
        reference: string. Label of the reference.
        axes_labels: pair of strings.
        larger_is_better: boolean. Otherwise the vertical axis is reversed:
            what is good is above.

    Returns:
        SVG element.
    """
    height = max(3.4, 0.19 * len(points) + 0.9)
    box = (0.1, 0.5 / height, 0.52, 1 - 0.65 / height)

    def paint(axes: Any) -> None:
        costly = [point for point in points if point.cost is not None]
        sign = 1 if larger_is_better else -1
        ahead = pareto_front(
            [point.cost for point in costly],
            [sign * point.value for point in costly],
        )
        front = {p.label for p, a in zip(costly, ahead, strict=True) if a}
        _cost_axes(axes, points, axes_labels, larger_is_better)
        stairs = sorted(
            (p.cost, sign * p.value) for p in costly if p.label in front
        )
        if stairs:
            x, y = zip(*stairs, strict=True)
            axes.step(
                [*x, axes.get_xlim()[1]],
                [sign * v for v in (*y, y[-1])],
                where="post",
                color=_ACCENT,
                lw=1.2,
                alpha=0.6,
            )
        for point in points:
            _cost_mark(axes, point, point.label in front, reference)
        _cost_labels(axes, points, front, reference, 0.155 / (height * box[3]))

    return drawn(name, title, (6.8, height), box, paint)


def _cost_axes(
    axes: Any,
    points: Sequence[CostPoint],
    labels: tuple[str, str],
    larger_is_better: bool,
) -> None:
    from matplotlib.ticker import MaxNLocator

    costs = [p.cost for p in points if p.cost is not None]
    ends = [v for p in points for v in (p.low, p.value, p.high)]
    ends = [v for v in ends if math.isfinite(v)]
    margin = 0.06 * (max(ends) - min(ends)) or 0.02 * abs(ends[0]) or 1.0
    bounds = (min(ends) - margin, max(ends) + margin)
    axes.set_ylim(*(bounds if larger_is_better else bounds[::-1]))
    axes.set_xscale("log")
    low, high = min(costs), max(costs)
    # A range of four at least: small differences must look small.
    room = max(1.25, (4 / (high / low)) ** 0.5)
    axes.set_xlim(low / room, high * room)
    plain_ticks(axes.xaxis, True, (1.0, 2.0, 5.0) if high < 1e3 * low else None)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(True, color=_FAINT, lw=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])


def _cost_mark(
    axes: Any, point: CostPoint, ahead: bool, reference: str
) -> None:
    if point.cost is None:
        axes.axhline(point.value, color=_MUTED, lw=0.9, ls=":")
        return
    if point.label == reference:
        axes.axhline(point.value, color=_INK, lw=0.9, ls="--")
    if math.isfinite(point.low) and math.isfinite(point.high):
        axes.vlines(point.cost, point.low, point.high, color=_MUTED, lw=1.0)
    axes.plot(
        [point.cost],
        [point.value],
        marker="s" if point.label == reference else "o",
        ms=6,
        mfc=_ACCENT if ahead else _PAPER,
        mec=_INK if point.label == reference else _ACCENT,
        mew=1.3,
        ls="none",
        zorder=3,
    )


def _cost_labels(
    axes: Any,
    points: Sequence[CostPoint],
    front: set[str],
    reference: str,
    gap: float,
) -> None:
    low, high = axes.get_ylim()
    heights = [(point.value - low) / (high - low) for point in points]
    places = spread_out(heights, gap, 0.0, 1.0)
    for point, place in zip(points, places, strict=True):
        label = shorten(point.label, 26)
        if point.label == reference:
            label += " (reference)"
        from_right = (axes.get_xlim()[1], point.value)
        axes.annotate(
            label,
            xy=from_right if point.cost is None else (point.cost, point.value),
            xytext=(1.05, place),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            fontweight="bold" if point.label in front else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": _FAINT,
                "lw": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0.5),
                "zorder": 1,
            },
        )
