"""What several commands read from the command line."""

import argparse
from collections.abc import Sequence
from typing import Any

from keras_infnet.experiments.settings import load_settings

__all__ = ["one_or_list", "read_config"]


def read_config(options: argparse.Namespace) -> dict[str, Any]:
    """Reads a settings file, and puts what the command line says in place.

    Args:
        options: options with `config`, `data` and `directory`.

    Returns:
        Dict, as the file has it.
    """
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
    """Returns what `open_source` takes: one path, or a list of several.

    Args:
        paths: list of strings.

    Returns:
        A string or a list.
    """
    return paths[0] if len(paths) == 1 else list(paths)
