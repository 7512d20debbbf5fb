"""The parser of the command line."""

import argparse
import importlib
from types import ModuleType

from keras_infnet.cli.backend import BACKENDS
from keras_infnet.version import __version__

__all__ = ["COMMANDS", "load_command", "make_parser"]

#: The commands, in the order in which `--help` lists them.
COMMANDS = (
    "quickstart",
    "train",
    "compare",
    "sweep",
    "settings",
    "evaluate",
    "export",
    "serving-config",
    "predict",
    "schema",
    "bench",
)


def make_parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--backend",
        choices=BACKENDS,
        help="backend of Keras (default: the variable KERAS_BACKEND)",
    )
    common.add_argument(
        "--debug",
        action="store_true",
        help="print the traceback of an error",
    )
    parser = argparse.ArgumentParser(
        prog="keras-infnet",
        description="Multi-task ranking models, from a table to a server.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )

    for name in COMMANDS:
        command = load_command(name)
        subparser = commands.add_parser(
            name,
            help=command.HELP,
            description=command.HELP,
            parents=[common],
        )
        command.add_arguments(subparser)
    return parser


def load_command(name: str) -> ModuleType:
    """Imports the file of a command."""
    module = name.replace("-", "_")
    return importlib.import_module(f"keras_infnet.cli.commands.{module}")
