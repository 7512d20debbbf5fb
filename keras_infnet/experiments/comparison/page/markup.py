"""Elements and tables of HTML."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["element", "number", "pairs", "table"]


def element(name: str, content: str = "", **attributes: str) -> str:
    """Writes an element of HTML.

    Args:
        name: string.
        content: string, HTML. Defaults to `""`.
        **attributes: strings, escaped here; `_` at the end of a name is left
            out, others become `-`.

    Returns:
        String.

    Example:

    >>> element("th", "a &lt; b", scope="col", class_="x")
    '<th scope="col" class="x">a &lt; b</th>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>"


def number(value: Any, form: str) -> str:
    """Writes a number with all its digits behind those that are shown.

    Args:
        value: float, integer or `None`.
        form: string. Format.

    Returns:
        `data` element; "undefined" for NaN, `""` for `None`.

    Example:

    >>> number(0.75001, ".2f")
    '<data value="0.75001">0.75</data>'
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "undefined"
    return element("data", format(value, form), value=repr(value))


def pairs(values: Mapping[str, Any]) -> str:
    """Writes settings on one line.

    Args:
        values: dict of plain data.

    Returns:
        String.

    Example:

    >>> pairs({"learning_rate": 0.002, "seeds": (0, 1)})
    'learning_rate 0.002, seeds (0, 1)'
    """
    return ", ".join(f"{key} {value}" for key, value in values.items())


def table(
    caption: str,
    headings: Sequence[str],
    lines: Sequence[Sequence[str]],
    marked: Sequence[bool] = (),
    sorted_by: Mapping[int, str] = {},
    words: Iterable[int] = (),
) -> str:
    """Writes a table that scrolls within itself; empty columns are left out.

    Args:
        caption: string, text.
        headings: list of strings, text.
        lines: list of lists of strings, HTML. The first of each is its
            heading.
        marked: list of booleans, the lines of the reference. Defaults to
            `()`.
        sorted_by: dict of column to `"ascending"` or `"descending"`. Defaults
            to `{}`.
        words: columns of text that may wrap. Defaults to `()`.

    Returns:
        String.
    """
    used = [
        i
        for i in range(len(headings))
        if i == 0 or any(line[i] for line in lines)
    ]
    head = []
    for i in used:
        order = {"aria-sort": sorted_by[i]} if i in sorted_by else {}
        kind = {"class_": "words"} if i in set(words) else {}
        # A row's heading, even where it has no name of its own.
        head.append(
            element(
                "th", html.escape(headings[i]), scope="col", **kind, **order
            )
        )
    body = []
    for place, line in enumerate(lines):
        cells = [element("th", line[0], scope="row")]
        for i in used[1:]:
            kind = {"class_": "words"} if i in set(words) else {}
            cells.append(element("td", line[i], **kind))
        is_marked = place < len(marked) and marked[place]
        kind = {"class_": "reference"} if is_marked else {}
        body.append(element("tr", "".join(cells), **kind))
    content = (
        element("caption", html.escape(caption))
        + element("thead", element("tr", "".join(head)))
        + element("tbody", "\n".join(body))
    )
    return element(
        "div",
        element("table", content),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )
