"""Plots as SVG that stands within a page."""

import contextlib
import html
import io
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from keras_infnet.experiments.comparison.page.style import COLORS

__all__ = ["drawn", "plain_ticks", "shorten"]

_INK, _MUTED = (COLORS[name][0] for name in ("ink", "muted"))
_RC: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "keras_infnet",
    "text.parse_math": False,  # a label may have dollars
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": False,
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.linewidth": 0.7,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "text.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def shorten(text: str, width: int = 30) -> str:
    """Cuts a label that is too long for a plot.

    Args:
        text: string.
        width: integer. Most characters. Defaults to `30`.

    Returns:
        String.

    Example:

    >>> shorten("a label of many words", width=10)
    'a label o…'
    """
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def plain_ticks(
    axis: Any, logarithmic: bool, steps: tuple[float, ...] | None
) -> None:
    """Sets few ticks, written as numbers and not as powers.

    Args:
        axis: axis of matplotlib.
        logarithmic: boolean. Whether its scale is.
        steps: tuple of floats. Ticks of a decade; `None` is its start alone.
    """
    from matplotlib.ticker import (
        EngFormatter,
        LogLocator,
        MaxNLocator,
        NullLocator,
    )

    if not logarithmic:
        axis.set_major_locator(MaxNLocator(4))
        return
    axis.set_major_locator(LogLocator(subs=steps or (1.0,)))
    axis.set_minor_locator(NullLocator())
    low, _ = sorted(axis.get_view_interval())
    if low >= 0.1:
        axis.set_major_formatter(EngFormatter(sep=""))
    else:
        axis.set_major_formatter(lambda value, place: f"{value:g}")


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """The same look whatever a user's own settings are."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context():
        # Browsers have the letters that the font of matplotlib lacks.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def drawn(
    name: str,
    title: str,
    size: tuple[float, float],
    box: tuple[float, float, float, float],
    paint: Callable[[Any], None],
) -> str:
    """Draws one pair of axes.

    Equal input gives equal text.

    Args:
        name: string. Prefix of the ids in the page.
        title: string. What the plot shows, for those who cannot see it.
        size: width and height in inches.
        box: left, bottom, width and height of the axes, as parts of the
            size.
        paint: function of the axes.

    Returns:
        SVG element.
    """
    # Without `pyplot`: no window, and no state that others see.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with _style():
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        paint(figure.add_axes(box))
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue(), name, title, size)


def _inline(text: str, name: str, title: str, size: tuple[float, float]) -> str:
    """An SVG file as a part of a page: own ids, the colours of the page."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    words = html.escape(title)
    box = " ".join(f"{72 * length:g}" for length in size)
    head = (
        f'<svg viewBox="0 0 {box}" role="img" aria-label="{words}">'
        f"<title>{words}</title>"
    )
    text = head + text[text.index(">") + 1 :]
    text = text.replace("xlink:href", "href")
    text = re.sub(r'( id="| href="#|url\(#)', rf"\g<1>{name}-", text)
    for color, (light, _) in COLORS.items():
        text = text.replace(light, f"var(--{color})")
    return text.strip()
