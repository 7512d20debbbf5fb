"""`keras-infnet settings`: writes a settings file with comments."""

import argparse
import pathlib
import textwrap
from typing import TYPE_CHECKING

from keras_infnet.cli.console import say

if TYPE_CHECKING:
    from keras_infnet.experiments.settings_reference import SettingsKey

__all__ = ["HELP", "add_arguments", "run"]

HELP = "write a settings file with every key, its default and its meaning"

# Without these two a file could not be used as it is.
_NEEDED = {("[data]", "dataset"), ("[model]", "name"), ("[[models]]", "name")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "reader",
        nargs="?",
        choices=("train", "compare", "sweep"),
        default="train",
        help="command that reads the file (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        default="INFNet",
        help="model whose arguments are listed (default: %(default)s)",
    )
    parser.add_argument(
        "--dataset",
        default="synthetic",
        help="data set whose options are listed (default: %(default)s)",
    )
    parser.add_argument(
        "--output", help="TOML file to write (default: the terminal)"
    )


def run(options: argparse.Namespace) -> None:
    """Writes a settings file, or prints it."""
    from keras_infnet.experiments.settings import check_keys
    from keras_infnet.experiments.source_signatures import (
        public_names,
        shipped_models,
    )

    check_keys([options.model], shipped_models(), "model")
    datasets = [n for n in public_names("data.datasets") if n.islower()]
    check_keys([options.dataset], datasets, "dataset")
    text = _settings_file(options.reader, options.model, options.dataset)
    if options.output is None:
        say(text)
        return
    path = pathlib.Path(options.output)
    if path.suffix != ".toml":
        raise ValueError(
            f"the output must be a .toml file. Received: {options.output}."
        )
    with path.open("x", encoding="utf-8") as file:  # not over another file
        file.write(text + "\n")
    say(f"Wrote {path}. Next: keras-infnet {options.reader} --config {path}")


def _settings_file(command: str, model: str, dataset: str) -> str:
    from keras_infnet.experiments.settings_reference import settings_reference

    blocks = [
        f"# Settings of `keras-infnet {command}`: every key with its default "
        "and its\n# meaning. Remove the `#` before a key to change its value."
    ]
    for section in settings_reference(command, model, dataset):
        if section.heading:
            blocks.append(f"{_comment(section.meaning)}\n{section.heading}")
        for key in section.keys:
            value = key.default
            if key.name == "dataset" and section.heading == "[data]":
                value = f'"{dataset}"'
            needed = (section.heading, key.name) in _NEEDED
            blocks.append(_key(key, value, "" if needed else "# "))
    return "\n\n".join(blocks)


def _key(key: "SettingsKey", value: str | None, mark: str) -> str:
    kind = key.type.removesuffix(" or `None`")  # TOML has no null
    text = ". ".join(part for part in (kind, key.meaning) if part)
    if not text.endswith("."):
        text += "."
    if value is None:
        return f"{_comment(text + ' Not set by default.')}\n# {key.name} ="
    return f"{_comment(text)}\n{mark}{key.name} = {value}"


def _comment(text: str) -> str:
    return textwrap.fill(
        text[0].upper() + text[1:],
        width=80,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
    )
