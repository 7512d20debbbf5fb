"""Docstrings say what the signatures say.

What a top-level folder lists in its `__all__` is public and documented in full.
Docstrings of internal functions may be brief; the arguments they describe must
agree with the signatures.
"""

import importlib
import inspect
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import keras
import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "keras_infnet"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)
SECTIONS = [
    "Args",
    "Call arguments",
    "Returns",
    "Yields",
    "Raises",
    "Example",
    "Examples",
    "Reference",
    "References",
]
HEADER = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*): ?", re.MULTILINE)
REFERENCE = re.compile(r"arguments(?:,| and) [\w ,]*are those of `([\w.]+)`")
DEFAULT = re.compile(r"Defaults\s+to\s+`([^`]*)`")


def public_things(module: Any) -> Iterator[tuple[str, Any]]:
    """Classes and functions that the module defines and lists."""
    for name in module.__all__:
        thing = getattr(module, name)
        if getattr(thing, "__module__", None) == module.__name__ and (
            inspect.isclass(thing) or inspect.isfunction(thing)
        ):
            yield name, thing


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, thing in vars(cls).items():
        function = getattr(thing, "__func__", thing)
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function


def folder_of(path: str) -> Any:
    """The module whose `__all__` decides what of `path` is public."""
    return importlib.import_module(".".join(path.split(".")[:2]))


def sections_of(text: str) -> dict[str, str]:
    pieces = HEADER.split(inspect.cleandoc(text))
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def entries_of(section: str) -> dict[str, str]:
    pieces = ENTRY.split(section)
    return {
        name: text
        for names, text in zip(pieces[1::2], pieces[2::2], strict=True)
        for name in names.split(", ")
    }


def entries_by_reference(text: str) -> dict[str, str]:
    """Arguments that are described where the text says."""
    found = REFERENCE.search(" ".join(text.split()))
    if not found:
        return {}
    room, _, name = found[1].rpartition(".")
    other = getattr(importlib.import_module(room), name)
    entries = entries_of(sections_of(other.__doc__).get("Args", ""))
    return entries


def parameters_of(thing: Any) -> dict[str, inspect.Parameter]:
    if inspect.isclass(thing):
        ours = [c for c in thing.__mro__ if c.__module__ in MODULES]
        own = [c for c in ours if {"__init__", "__new__"} & vars(c).keys()]
        if not own or issubclass(thing, BaseException):
            return {}
        if issubclass(thing, keras.layers.Layer) and not hasattr(
            thing, "__signature__"
        ):
            # Up to Python 3.11.2, that of the class is that of `__new__`.
            thing = thing.__init__
    stars = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return {
        stars.get(parameter.kind, "") + name: parameter
        for name, parameter in inspect.signature(thing).parameters.items()
        if name not in ("self", "cls") and not name.startswith("_")
    }


def is_record(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, tuple)


def default_of(thing: Any, key: str, parameter: inspect.Parameter) -> Any:
    for field in getattr(thing, "__dataclass_fields__", {}).values():
        if field.name == key and callable(field.default_factory):
            return field.default_factory()
    return parameter.default


def agrees(written: str, default: Any, thing: Any) -> bool:
    if written in (repr(default), getattr(default, "__name__", None)):
        return True
    names = vars(sys.modules[thing.__module__])
    try:
        # Written by us, for readers: `1e-3`, `{}`, `Settings()`.
        value = eval(written, dict(names))
    except (SyntaxError, NameError):
        return False
    return type(value) is type(default) and bool(value == default)


def complaints_about(name: str, thing: Any, complete: bool) -> Iterator[str]:
    """What is wrong with a docstring; `complete` wants `Args` of it."""
    text = thing.__doc__ or ""
    if not text.strip():
        yield f"{name} has no docstring"
        return
    summary = text.strip().splitlines()[0]
    if not summary.endswith((".", "?", ":")):
        yield f"the first line about {name} is no sentence: {summary!r}"
    sections = sections_of(text)
    order = [SECTIONS.index(section) for section in sections]
    if order != sorted(order):
        yield f"sections of {name} are out of order: {list(sections)}"
    if not complete and "Args" not in sections:
        return
    parameters = parameters_of(thing)
    own = entries_of(sections.get("Args", ""))
    entries = {**entries_by_reference(text), **own}
    if is_record(thing) and not entries:
        return  # a record of results: the names of its fields say it
    for missing in parameters.keys() - entries.keys():
        yield f"Args of {name} lack {missing!r}"
    if parameters:
        for unknown in own.keys() - parameters.keys():
            yield f"Args of {name} describe {unknown!r}, which it has not"
    for key in parameters.keys() & entries.keys():
        default = default_of(thing, key, parameters[key])
        written = DEFAULT.findall(entries[key])
        if default is inspect.Parameter.empty:
            if written:
                yield f"{name}({key}) has no default. Written: {written[0]}"
        elif not written:
            if isinstance(default, tuple) and "Defaults to" in entries[key]:
                continue  # "Defaults to all three groups."
            yield f"{name}({key}) does not say 'Defaults to `{default!r}`'"
        elif not agrees(written[-1], default, thing):
            yield (
                f"{name}({key}) defaults to {default!r}. Written: {written[-1]}"
            )
    if complete and inspect.isfunction(thing):
        result = inspect.signature(thing).return_annotation
        if result not in (None, "None", inspect.Signature.empty) and not (
            {"Returns", "Yields"} & sections.keys()
        ):
            yield f"{name} has no section Returns"


def test_docstrings_agree_with_signatures():
    complaints = []
    for path in MODULES:
        module = importlib.import_module(path)
        if not (module.__doc__ or "").strip():
            complaints.append(f"{path} has no docstring")
        for name, thing in public_things(module):
            public = getattr(folder_of(path), name, None) is thing
            found = list(complaints_about(name, thing, complete=public))
            for method, function in (
                public_methods(thing) if inspect.isclass(thing) else ()
            ):
                if function.__doc__:
                    found += complaints_about(
                        f"{name}.{method}", function, complete=False
                    )
            complaints += [f"{path}: {complaint}" for complaint in found]
    assert not complaints, "\n" + "\n".join(complaints)


def example(size: int, rate: float = 1e-3, mode: str = "a", **kwargs) -> int:
    """Shows the form that is wanted.

    Args:
        size: integer.
        rate: float. Two lines of
            text. Defaults to `0.001`.
        mode: string. Defaults to
            `"a"`.
        **kwargs: Arguments of the base.

    Returns:
        One.
    """
    return 1


def derived(*, activation: str = "relu", embedding_dim: int = 8) -> None:
    """Shows arguments that are described elsewhere.

    The arguments and outputs are those of
    `keras_infnet.models.FeatureRanker`.
    """


def test_arguments_described_elsewhere_are_compared_too():
    found = list(complaints_about("derived", derived, complete=True))
    assert found == ["derived(embedding_dim) defaults to 8. Written: 16"]


def test_a_good_docstring_passes():
    assert not list(complaints_about("example", example, complete=True))


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("`0.001`", "`0.01`", "defaults to 0.001. Written: 0.01"),
        ('`"a"`', "`a`", "defaults to 'a'. Written: a"),
        ("mode: string", "mod: string", "lack 'mode'"),
        ("mode: string", "mod: string", "describe 'mod'"),
        ("**kwargs: A", "kwargs: A", "lack '**kwargs'"),
        (" Defaults to `0.001`.", "", "does not say 'Defaults to `0.001`'"),
        ("integer.", "integer. Defaults to `1`.", "has no default"),
        ("Returns:", "Gives:", "has no section Returns"),
        ("Shows the form that is wanted.", "Shows", "is no sentence"),
        ("    Args:", "    Example:\n\n    Args:", "out of order"),
    ],
)
def test_a_bad_docstring_does_not(right, wrong, complaint):
    assert right in example.__doc__

    def changed(*args, **kwargs):
        pass

    changed.__signature__ = inspect.signature(example)
    changed.__doc__ = example.__doc__.replace(right, wrong)
    found = list(complaints_about("changed", changed, complete=True))
    assert any(complaint in line for line in found), found
