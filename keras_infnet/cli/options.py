"""Arguments that several commands share."""

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["add_config_arguments", "one_or_list", "read_config"]


def add_config_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds the arguments of commands that read a settings file."""
    parser.add_argument(
        "--config", required=True, help="TOML or JSON file of settings"
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="path of the data set, in place of data.options.path",
    )
    parser.add_argument(
        "--directory", help=f"where {what} go, in place of the settings'"
    )


def read_config(options: argparse.Namespace) -> dict[str, Any]:
    """Reads a settings file; options of the command line replace its own."""
    from keras_infnet.experiments import load_settings

    config = load_settings(options.config)
    if options.data is not None:
        section = config.setdefault("data", {})
        section["options"] = {
            **section.get("options", {}),
            "path": options.data,
        }
    if options.directory is not None:
        config["directory"] = options.directory
    return config


def one_or_list(paths: Sequence[str]) -> Any:
    """Returns what `open_source` takes: one path, or a list of several."""
    return paths[0] if len(paths) == 1 else list(paths)
