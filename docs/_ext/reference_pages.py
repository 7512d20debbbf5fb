"""Writes the pages of the reference: one for every public name.

The list of names is `tests/public_api.txt`. Names that differ only in case,
such as `Batches` and `batches`, share a page, since some file systems do not
tell them apart.
"""

import inspect
import pathlib
from collections.abc import Iterator
from typing import Any

from docstrings import to_rst
from program_pages import command_line, model_settings, settings
from public_api import find, public_names

__all__ = ["reference_pages", "setup"]

#: Named in guides and settings, although no folder lists them.
MORE = [
    "keras_infnet.data.datasets.Dataset",
    "keras_infnet.data.datasets.kuairand.load",
    "keras_infnet.data.datasets.synthetic.load",
]
#: Methods that Keras or the package calls, not a user.
HOOKS = {
    "bring_averages_up_to_date",
    "compile_from_config",
    "compute_loss",
    "finalize_variable_values",
    "get_compile_config",
    "make_test_function",
    "make_train_function",
    "shared_rows",
    "swap_averages",
    "train_step",
}
#: Folders in the order in which a reader needs them.
FOLDERS = {
    "schema": "Fields, behaviors and tasks: what a row means.",
    "data": "From tables to batches.",
    "data.datasets": "Data sets that load themselves.",
    "models": "All models, and the base classes for your own.",
    "training": "Compile, fit, predict, resume.",
    "evaluation": "Exact metrics, confidence intervals, baselines, reports.",
    "experiments": "Runs from settings files, comparisons and sweeps.",
    "serving": "Export, calibration, and clients of a served model.",
    "layers": "The layers that the models are made of.",
    "losses": "Losses that leave out missing labels.",
    "metrics": "Streaming metrics that leave out missing labels.",
    "optimizers": "Optimizers that update only the rows a batch reads.",
    "testing": "Checks for your own layers and models.",
    "benchmarks": "Measurements of speed and memory.",
    "api_export": "The decorator that registers a class.",
    "cli": "The program `keras-infnet`.",
    "version": "The version of the package.",
}


def folder_of(path: str) -> str:
    """Returns the folder of the reference that has the page of a name."""
    parent = path.removeprefix("keras_infnet.").rpartition(".")[0]
    while parent and parent not in FOLDERS:
        parent = parent.rpartition(".")[0]
    return parent


def reference_pages() -> dict[str, str]:
    """Returns the text of every generated page by its path."""
    folders: dict[str, list[str]] = {folder: [] for folder in FOLDERS}
    aliases = []
    for path in [*public_names(), *MORE]:
        folder = folder_of(path)
        if folder:
            folders[folder].append(path)
        elif not inspect.ismodule(find(path)):
            aliases.append(path)
    pages = {
        "index.md": "\n".join(index_page()),
        "command_line.md": "\n".join(command_line()),
        "settings.md": "\n".join(settings()),
        "model_settings.md": "\n".join(model_settings()),
    }
    for folder, paths in folders.items():
        groups: dict[str, list[str]] = {}
        for path in sorted(paths, key=str.lower):
            name = path.removeprefix(f"keras_infnet.{folder}.")
            groups.setdefault(name.lower(), []).append(path)
        lines = folder_page(folder, groups, aliases)
        pages[f"{folder}/index.rst"] = "\n".join(lines)
        for key, members in groups.items():
            pages[f"{folder}/{key}.rst"] = "\n".join(name_page(folder, members))
    return pages


def title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def index_page() -> Iterator[str]:
    """Yields the lines of the page that lists the folders."""
    yield "# Reference\n"
    yield (
        "One page for every public name, from its docstring. Imports from "
        "these folders are stable; deeper modules are not public.\n"
    )
    yield "| folder | what is in it |\n| --- | --- |"
    for folder, text in FOLDERS.items():
        yield f"| [keras_infnet.{folder}]({folder}/index.rst) | {text} |"
    yield "\n```{toctree}\n:hidden:\n"
    yield from (f"{folder}/index" for folder in FOLDERS)
    yield "```"


def folder_page(
    folder: str, groups: dict[str, list[str]], aliases: list[str]
) -> Iterator[str]:
    """Yields the lines of the page of a folder: a table of its names."""
    module = f"keras_infnet.{folder}"
    yield from title(module)
    yield FOLDERS[folder].replace("`", "``")
    yield ""
    if module in public_names():
        yield f".. py:module:: {module}"
        yield ""
    yield from (".. list-table::", "   :widths: 35 65", "")
    for members in groups.values():
        for path in members:
            yield f"   * - :py:obj:`{path.removeprefix(module + '.')} <{path}>`"
            yield f"     - {summary(path)}"
    yield ""
    for alias in aliases:
        found = find(alias)
        name = alias.rpartition(".")[2]
        if f"{module}.{name}" in public_names() and found is find(
            f"{module}.{name}"
        ):
            kind = "class" if inspect.isclass(found) else "data"
            yield f".. py:{kind}:: {alias}"
            yield from ("   :no-contents-entry:", "")
            yield f"   The same as :py:obj:`{module}.{name}`."
            yield ""
    yield from (".. toctree::", "   :hidden:", "")
    for key, members in groups.items():
        names = ", ".join(path.removeprefix(module + ".") for path in members)
        yield f"   {names} <{key}>"
    yield ""


def summary(path: str) -> str:
    """Returns the first sentence of a docstring, as reStructuredText."""
    found = find(path)
    if not inspect.isclass(found) and not inspect.isfunction(found):
        return next(data_text(path, found), "")
    first = " ".join(inspect.getdoc(found).split("\n\n")[0].split())
    return "".join(to_rst([first], found.__module__))


def name_page(folder: str, members: list[str]) -> Iterator[str]:
    """Yields the lines of the page of one name, or of names alike."""
    module = f"keras_infnet.{folder}"
    yield from title(
        ", ".join(path.removeprefix(module + ".") for path in members)
    )
    for path in members:
        found = find(path)
        if inspect.isclass(found):
            yield f".. autoclass:: {path}"
            if methods(found):
                yield f"   :members: {', '.join(methods(found))}"
            yield "   :member-order: bysource"
        elif inspect.isfunction(found):
            yield f".. autofunction:: {path}"
        else:
            yield f".. py:data:: {path}"
            if isinstance(found, (int, str)):
                yield f"   :value: {found!r}"
            yield from ("", *(f"   {line}" for line in data_text(path, found)))
        yield ""


def methods(cls: type) -> list[str]:
    """Returns the methods and properties that the page of a class shows.

    They are its own and those of bases without a page. What a base with a page
    describes is left out.
    """
    public = {id(find(path)) for path in public_names()}
    found: dict[str, None] = {}
    described = set(HOOKS)
    for base in cls.__mro__:
        if not base.__module__.startswith("keras_infnet."):
            continue
        if base is not cls and id(base) in public:
            described |= vars(base).keys()
            continue
        for name, member in vars(base).items():
            member = getattr(member, "__func__", member)
            is_method = inspect.isfunction(member) or isinstance(
                member, property
            )
            if is_method and not name.startswith("_") and member.__doc__:
                found[name] = None
    return [name for name in found if name not in described]


def data_text(path: str, found: Any) -> Iterator[str]:
    """Yields a description of a public value that has no docstring."""
    if isinstance(found, dict):
        yield "Settings by name:"
        yield ""
        for key, value in found.items():
            name = f"keras_infnet.benchmarks.{value.__name__}"
            yield f"- ``{key}``: :py:obj:`{name}`"
    elif path.endswith("Field"):
        yield (
            "Type of a field: :py:obj:`keras_infnet.schema.Categorical` or "
            ":py:obj:`keras_infnet.schema.Numeric`."
        )
    elif path.endswith("GAP_BUCKETS"):
        yield "Number of ids that the time between event and request can have."
    elif path.endswith("__version__"):
        yield "The version of the package."


def write_pages(app: Any) -> None:
    """Writes what changed, so that a second build reads little again."""
    folder = pathlib.Path(app.srcdir) / "reference" / "generated"
    pages = reference_pages()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in [found for found in folder.rglob("*") if found.is_file()]:
        if path.relative_to(folder).as_posix() not in pages:
            path.unlink()


def check_pages(app: Any, env: Any) -> None:
    """Warns of public names that the built reference does not hold."""
    from sphinx.util import logging

    objects = env.get_domain("py").objects
    for path in public_names():
        # The package's own module pages are its folders.
        if path not in objects:
            logging.getLogger(__name__).warning(
                "public name without a page: %s", path
            )


def setup(app: Any) -> dict[str, Any]:
    """Connects to Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("env-check-consistency", check_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
