"""Arguments and docstrings of models, data sets and callbacks, from source.

Importing them would import Keras and its backend, which takes seconds.
Reading the source lets a mistake in a settings file be reported at once.
"""

import ast
import dataclasses
import functools
import inspect
import pathlib
import re
from typing import Any

__all__ = [
    "SourceSignature",
    "argument_texts",
    "class_signature",
    "function_signature",
    "public_names",
    "shipped_models",
]

_PACKAGE = pathlib.Path(__file__).parents[1]
_NOT_ARGUMENTS = ("self", "schema", "inputs", "outputs", "name", "dtype")


@dataclasses.dataclass(frozen=True)
class SourceSignature:
    """Defaults and descriptions of arguments, and the presets of a model.

    Arguments without a default are missing in `defaults`.
    """

    arguments: tuple[str, ...]
    defaults: dict[str, Any]
    texts: dict[str, str]
    presets: tuple[str, ...] = ()


def public_names(module: str) -> tuple[str, ...]:
    """Returns the `__all__` of a module of this package.

    Example:

    >>> public_names("data.datasets")
    ('Dataset', 'kuairand', 'synthetic')
    """
    return tuple(_literal(_tree(module), "__all__") or ())


def shipped_models() -> tuple[str, ...]:
    """Returns the names of the models of this package.

    Example:

    >>> "DCNv2" in shipped_models(), "FeatureRanker" in shipped_models()
    (True, False)
    """
    imported = _imports(_tree("models"))
    return tuple(
        name
        for name, module in imported.items()
        if name[0].isupper() and not module.startswith("models.base.")
    )


def function_signature(module: str, name: str) -> SourceSignature:
    """Reads a function of a module of this package.

    Example:

    >>> function_signature("data.datasets.synthetic", "load").defaults["seed"]
    0
    """
    function = _definition(_tree(module), name)
    arguments, defaults, _ = _signature(function)
    return SourceSignature(arguments, defaults, _texts(function))


def class_signature(module: str, name: str) -> SourceSignature:
    """Reads the constructor of a class of this package.

    `**kwargs` is replaced by the arguments of the base class. Arguments common
    to all models, such as `schema`, are omitted.

    Example:

    >>> class_signature("models", "DCNv2").presets
    ('small', 'base')
    """
    imported = _imports(_tree(module))
    if name in imported:
        return class_signature(imported[name], name)
    cls = _definition(_tree(module), name)
    presets = _literal(cls, "presets")
    texts = _texts(cls)
    constructor = _definition(cls, "__init__")
    arguments: tuple[str, ...] = ()
    defaults: dict[str, Any] = {}
    takes_rest = True
    if constructor is not None:
        arguments, defaults, takes_rest = _signature(constructor)
    for base in cls.bases:
        if isinstance(base, ast.Name) and base.id in imported:
            above = class_signature(imported[base.id], base.id)
            texts = {**above.texts, **texts}
            presets = above.presets if presets is None else presets
            if takes_rest:
                arguments = tuple(dict.fromkeys(arguments + above.arguments))
                defaults = {**above.defaults, **defaults}
    return SourceSignature(arguments, defaults, texts, tuple(presets or ()))


def argument_texts(docstring: str | None) -> dict[str, str]:
    r"""Splits the section `Args` of a docstring, each text on one line.

    Example:

    >>> argument_texts("Sum.\n\nArgs:\n    x: float.\n        A number.")
    {'x': 'float. A number.'}
    """
    text = inspect.cleandoc(docstring or "")
    section = re.search(r"^Args:\n((?: .*\n?|\n)*)", text, re.MULTILINE)
    entries = re.split(
        r"^ {4}(\w+): ", section[1] if section else "", flags=re.MULTILINE
    )
    return {
        name: " ".join(words.split())
        for name, words in zip(entries[1::2], entries[2::2], strict=True)
    }


@functools.cache
def _tree(module: str) -> ast.Module:
    path = _PACKAGE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"))


def _imports(tree: ast.Module) -> dict[str, str]:
    """Modules of this package by the names that a module imports."""
    return {
        alias.name: node.module.removeprefix("keras_infnet.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.startswith("keras_infnet.")
        for alias in node.names
    }


def _definition(tree: Any, name: str) -> Any:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            if node.name == name:
                return node
    return None


def _texts(node: Any) -> dict[str, str]:
    return argument_texts(ast.get_docstring(node))


def _literal(tree: Any, name: str) -> Any:
    """Returns the literal assigned to `name`, `None` if it is not assigned."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) | (
                ast.AnnAssign(target=ast.Name(id=found), value=value)
            ) if found == name and value is not None:
                return ast.literal_eval(value)
    return None


def _signature(function: Any) -> tuple[tuple[str, ...], dict[str, Any], bool]:
    """Arguments, defaults, and whether there are `**kwargs`."""
    arguments = function.args.posonlyargs + function.args.args
    values: list[Any] = [None] * (len(arguments) - len(function.args.defaults))
    values += function.args.defaults
    arguments = arguments + function.args.kwonlyargs
    values += function.args.kw_defaults
    names = [argument.arg for argument in arguments]
    defaults = {
        name: ast.literal_eval(value)
        for name, value in zip(names, values, strict=True)
        if value is not None and name not in _NOT_ARGUMENTS
    }
    return (
        tuple(name for name in names if name not in _NOT_ARGUMENTS),
        defaults,
        function.args.kwarg is not None,
    )
