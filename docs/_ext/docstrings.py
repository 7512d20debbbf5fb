"""Turns the Markdown of our docstrings into reStructuredText.

Napoleon reads the sections and autodoc the rest. Names of public things in
backticks become links to their pages.
"""

import dataclasses
import inspect
import re
from typing import Any

from public_api import public_names

__all__ = ["setup", "to_rst"]

LINK = re.compile(r"\[([^\]]+)\]\((https?:[^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
FENCE = re.compile(r"^(\s*)```(\w*)$")
ITEM = re.compile(r"^(\s*)- ")
NAMES = frozenset(public_names())
_PROPERTIES: dict[str, list[str]] = {}


def to_rst(lines: list[str], module: str = "") -> list[str]:
    """Returns the lines of a docstring as reStructuredText.

    Args:
        lines: list of strings.
        module: string. Module of the docstring: its folder's names are
            linked without a prefix. Defaults to `""`.

    Returns:
        List of strings.
    """
    folder = ".".join(module.split(".")[:2])
    result: list[str] = []
    fence = None
    # Links and code may go over the end of a line.
    for line in _joined(lines):
        found = FENCE.match(line)
        if found and fence is None:
            fence = found[1]
            language = found[2] or "text"
            result += ["", f"{fence}.. code-block:: {language}", ""]
        elif found:
            fence = None
            result.append("")
        elif fence is not None:
            result.append(f"    {line}" if line.strip() else "")
        elif line.lstrip().startswith((">>>", "...")):
            result.append(line)
        else:
            if ITEM.match(line) and result and _is_text(result[-1]):
                result.append("")
            result.append(_inline(line, folder))
    return result


def _is_text(line: str) -> bool:
    """Whether a list that follows the line needs an empty line before it."""
    return bool(line.strip()) and not re.match(r"^\s*(- |  )", line)


def _joined(lines: list[str]) -> list[str]:
    """Joins lines where one ends within a link or within backticks."""
    result: list[str] = []
    fenced = False
    for line in lines:
        if FENCE.match(line):
            fenced = not fenced
        last = result[-1] if result else ""
        open_code = last.count("`") % 2 == 1 and "```" not in last
        open_link = re.search(r"\[[^\]]*$|\]\([^)]*$", CODE.sub("", last))
        if (
            last.strip()
            and line.strip()
            and not fenced
            and (open_code or open_link)
        ):
            result[-1] = f"{last} {line.strip()}"
        else:
            result.append(line)
    return result


def _inline(line: str, folder: str) -> str:
    pieces = []
    start = 0
    for found in re.finditer(f"{LINK.pattern}|{CODE.pattern}", line):
        pieces.append(_escaped(line[start : found.start()]))
        text, address, code = found.groups()
        if code is None:
            text = text.replace("`", "")
            pieces.append(f"`{text} <{address}>`__")
        else:
            pieces.append(_code(code, folder))
        start = found.end()
        # Markup must not touch the next word.
        if line[start : start + 1].isalnum():
            pieces.append("\\ ")
    pieces.append(_escaped(line[start:]))
    return "".join(pieces)


def _code(code: str, folder: str) -> str:
    bare = code.removesuffix("()")
    for name in (bare, f"{folder}.{bare}"):
        if name in NAMES and not bare.islower():
            return f":py:obj:`{bare} <{name}>`"
        if name in NAMES and "." in bare:
            return f":py:obj:`{bare} <{name}>`"
    return f"``{code}``"


def _escaped(text: str) -> str:
    # `**kwargs:` in front of its description is napoleon's.
    if re.match(r"^\s*\*{1,2}\w+:", text):
        return text
    return re.sub(r"(?<!\\)([*|])", r"\\\1", text)


def process_docstring(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Changes the lines in place, before napoleon reads them."""
    if isinstance(thing, property):
        thing = thing.fget
    lines[:] = to_rst(lines, getattr(thing, "__module__", None) or name)
    if what == "property":
        _PROPERTIES[name] = list(lines)


def restore_property(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Undoes napoleon, which takes what precedes a colon for a type."""
    if what == "property":
        lines[:] = _PROPERTIES.pop(name)


def process_signature(
    app: Any,
    what: str,
    name: str,
    thing: Any,
    options: Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str, None] | None:
    """Writes constructors and defaults as a reader would give them."""
    if not inspect.isclass(thing):
        return None
    if dataclasses.is_dataclass(thing):
        words = [_argument(f) for f in dataclasses.fields(thing) if f.init]
        return f"({', '.join(words)})", None
    if signature == "(*args, **kwargs)":
        # Keras defines `__new__` for all layers, with these.
        found = inspect.signature(thing.__init__)
        parameters = [
            parameter.replace(annotation=parameter.empty)
            for name, parameter in found.parameters.items()
            if name != "self"
        ]
        return str(inspect.Signature(parameters)), None
    return None


def _argument(field: Any) -> str:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        return str(field.name)
    if dataclasses.is_dataclass(default):
        return f"{field.name}={type(default).__name__}()"
    return f"{field.name}={default!r}"


def setup(app: Any) -> dict[str, Any]:
    """Connects to autodoc, before napoleon does."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process_docstring, priority=100)
    app.connect("autodoc-process-docstring", restore_property, priority=900)
    app.connect("autodoc-process-signature", process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
