"""`keras-infnet serving-config`: writes the configuration of a server."""

import argparse

from keras_infnet.cli.console import say

__all__ = ["HELP", "add_arguments", "run"]

HELP = "write the configuration of a server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--model", required=True, help="saved_models/NAME")
    for label in ("stable", "canary"):
        parser.add_argument(
            f"--{label}",
            type=int,
            metavar="VERSION",
            help=f"version called {label!r}; without any label the newest "
            "version is served",
        )
    parser.add_argument(
        "--base",
        default="/models",
        help="where the server sees saved_models (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    """Writes which versions a server serves, and under which labels."""
    from keras_infnet.serving.exporting.server_files import label_versions

    labels = {"stable": options.stable, "canary": options.canary}
    given = {name: v for name, v in labels.items() if v is not None}
    for line in label_versions(options.model, given, options.base):
        say(line)
