"""Pages of the program: its commands, and the keys of settings files."""

import contextlib
import io
import os
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["command_line", "model_settings", "settings"]

INTRODUCTION = """# Settings

Every key of the settings files that `keras-infnet train`, `compare` and `sweep`
read, made from the classes of the settings. A file is TOML or JSON. A key that
is not given has its default. Unknown keys, and values of a wrong type, are
refused before anything is read or trained.
"""
PARTS = {
    "train": "## train\n\n`keras-infnet train --config FILE`\n",
    "compare": (
        "## compare\n\n`keras-infnet compare --config FILE` reads the sections "
        "of `train` and what differs here: `[[models]]`, once per model, takes "
        "the place of `[model]`.\n"
    ),
    "sweep": (
        "## sweep\n\n`keras-infnet sweep --config FILE` reads the sections of "
        "`train` and these.\n"
    ),
}


def command_line() -> Iterator[str]:
    """Yields the page of the program, made of what `--help` prints."""
    from keras_infnet.cli import commands, main

    os.environ["COLUMNS"] = "80"  # argparse fills the width of the terminal
    yield "# Command line\n"
    yield "What `keras-infnet --help` prints, and each command with it.\n"
    found = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    for name in ["", *sorted(found)]:
        words = [name.replace("_", "-")] if name else []
        output = io.StringIO()
        with (
            contextlib.redirect_stdout(output),
            contextlib.suppress(SystemExit),
        ):
            main([*words, "--help"])
        if not output.getvalue():
            continue  # a module that is no command
        yield f"## keras-infnet {' '.join(words)}".rstrip() + "\n"
        yield f"```text\n{output.getvalue().rstrip()}\n```\n"


def settings() -> Iterator[str]:
    """Yields the page of all keys but the arguments of each model."""
    from keras_infnet.experiments.settings_reference import settings_reference

    yield INTRODUCTION
    known = set()
    for command, text in PARTS.items():
        yield text
        for section in settings_reference(command):
            if section.heading and section.heading in known:
                continue
            known.add(section.heading)
            if section.heading in ("[model]", "[[models]]"):
                own = ("name", "preset", "label")
                keys = [key for key in section.keys if key.name in own]
                meaning = (
                    "The model. Its other keys are the arguments of the class: "
                    "[settings of each model](model_settings.md)."
                )
            else:
                keys, meaning = list(section.keys), section.meaning
            yield (
                f"### `{section.heading}`\n"
                if section.heading
                else ("### At the top of the file\n")
            )
            yield f"{meaning}\n"
            yield from table(keys)


def model_settings() -> Iterator[str]:
    """Yields the page of the arguments of each model."""
    from keras_infnet.experiments.settings_reference import settings_reference
    from keras_infnet.models import model_names

    yield "# Settings of each model\n"
    yield (
        "Keys of `[model]` for each value of `name`. Models of the same kind "
        "share most of them.\n"
    )
    for name in model_names():
        (section,) = (
            section
            for section in settings_reference(model=name)
            if section.heading == "[model]"
        )
        yield f"## {name}\n"
        yield f"[{name} in the reference](models/{name.lower()}.rst)\n"
        yield from table(key for key in section.keys if key.name != "name")


def table(keys: Iterable[Any]) -> Iterator[str]:
    """Yields a Markdown table of settings keys."""
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for key in keys:
        default = "" if key.default is None else f"`{key.default}`"
        meaning = " ".join(f"{key.type}. {key.meaning}".split())
        cells = (f"`{key.name}`", default, meaning)
        row = " | ".join(cell.replace("|", r"\|") for cell in cells)
        yield f"| {row} |"
    yield ""
