"""Arguments that several commands share."""

import argparse
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say

__all__ = ["add_config_arguments", "one_or_list", "read_config", "set_value"]

_SHIPPED = pathlib.Path(__file__).parents[1] / "example_settings"


def add_config_arguments(
    parser: argparse.ArgumentParser, command: str, what: str
) -> None:
    """Adds the arguments of commands that read a settings file."""
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE",
        help="TOML or JSON file of settings, or the name of one that comes "
        f"with the package: {', '.join(_shipped_names(command))}",
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="path of the data set, in place of data.options.path",
    )
    parser.add_argument(
        "--directory",
        help=f"directory of {what}, in place of that of the settings",
    )


def read_config(options: argparse.Namespace) -> dict[str, Any]:
    """Reads a settings file and applies the options that replace its values.

    Starts Keras first where the settings name a user's own model.
    """
    from keras_infnet.experiments.settings import load_settings

    config = load_settings(_find_config(options.command, options.config))
    if options.data is not None:
        set_value(config, ("data", "options", "path"), options.data)
    if options.directory is not None:
        config["directory"] = options.directory
    listed = config.get("models")
    models = [
        config.get("model"),
        *(listed if isinstance(listed, list) else ()),
    ]
    names = [m.get("name") for m in models if isinstance(m, Mapping)]
    if any(isinstance(name, str) and ":" in name for name in names):
        start_keras(training=True)
    return config


def set_value(config: Any, path: Sequence[str], value: Any) -> None:
    """Sets a nested value; sections that are no tables are left to the checks.

    Example:

    >>> config = {"sweep": {"seed": 1}}
    >>> set_value(config, ("sweep", "trials"), 3)
    >>> config
    {'sweep': {'seed': 1, 'trials': 3}}
    """
    *sections, name = path
    for section in sections:
        config = config.setdefault(section, {})
        if not isinstance(config, dict):
            return
    config[name] = value


def one_or_list(paths: Sequence[str]) -> Any:
    """Returns what `open_source` takes: one path, or a list of several."""
    return paths[0] if len(paths) == 1 else list(paths)


def _find_config(command: str, name: str) -> pathlib.Path:
    path = pathlib.Path(name)
    shipped = _SHIPPED / command / f"{name}.toml"
    if path.is_file():
        return path
    if name not in _shipped_names(command):
        raise ValueError(
            f"there is no settings file {name!r}. Give the path of a .toml or "
            ".json file, or the name of one that comes with the package: "
            f"{', '.join(_shipped_names(command))}."
        )
    say(f"Settings: {shipped}")
    return shipped


def _shipped_names(command: str) -> list[str]:
    return sorted(path.stem for path in (_SHIPPED / command).glob("*.toml"))
