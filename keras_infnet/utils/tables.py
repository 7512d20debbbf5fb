"""Tables as text: aligned for terminals, Markdown, or CSV."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from keras_infnet.utils.terminal import output_width

__all__ = ["aligned_table", "csv_table", "markdown_table"]


def aligned_table(
    lines: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    width: int | None = None,
) -> str:
    """Formats a table with aligned columns, two spaces apart, headings first.

    The columns in `left` are left-aligned (negative numbers count from the
    last one), all others right-aligned. Wide characters count as two. Columns
    that do not fit `width`, by default that of the output, follow in further
    tables, each with the first column.

    Example:

    >>> print(aligned_table([["task", "AUC"], ["click", "0.75"]]))
    task    AUC
    click  0.75
    """
    import rich.cells

    width = output_width() if width is None else width
    count = len(lines[0])
    left = {place % count for place in left}
    widths = [
        max(map(rich.cells.cell_len, column))
        for column in zip(*lines, strict=True)
    ]
    groups = _split(widths, width)
    # Tables of about one width, not one column left for the last.
    for narrower in range(width, width // 2, -1):
        if len(balanced := _split(widths, narrower)) > len(groups):
            break
        groups = balanced
    return "\n\n".join(
        _render(
            [[line[i] for i in group] for line in lines], left, group, width
        )
        for group in groups
    )


def _split(widths: Sequence[int], width: int) -> list[list[int]]:
    """Groups the columns into tables, the first column in each."""
    groups = [[0]]
    for place in range(1, len(widths)):
        needed = sum(2 + widths[i] for i in groups[-1]) + widths[place]
        if needed > width and groups[-1] != [0]:
            groups.append([0])
        groups[-1].append(place)
    return groups


def _render(
    lines: Sequence[Sequence[str]],
    left: Collection[int],
    places: Sequence[int],
    width: int,
) -> str:
    import rich.console
    import rich.table
    import rich.text

    table = rich.table.Table(box=None, pad_edge=False, show_header=False)
    table.padding = (0, 2, 0, 0)
    for place in places:
        justify = "left" if place in left else "right"
        table.add_column(justify=justify, overflow="fold")  # type: ignore[arg-type]
    for line in lines:
        # `Text` objects: "[...]" in a cell is not markup.
        table.add_row(*(rich.text.Text(cell) for cell in line))
    console = rich.console.Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    r"""Formats a Markdown table, right-aligned but for the first column.

    Example:

    >>> print(markdown_table([["task", "AUC"], ["a|b", "0.75"]]))
    | task | AUC |
    | --- | ---: |
    | a\|b | 0.75 |
    """
    rule = ["---"] + ["---:"] * (len(lines[0]) - 1)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats rows as CSV with the union of their columns.

    Example:

    >>> csv_table([{"a": 1}, {"a": 2, "b": 3}]).split()
    ['a,b', '1,', '2,3']
    """
    table = io.StringIO()
    writer = csv.DictWriter(
        table, list(dict.fromkeys(name for row in rows for name in row))
    )
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
