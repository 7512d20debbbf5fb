"""Output of the commands on the terminal."""

import argparse
import logging
import sys
from typing import Any

__all__ = ["add_output_arguments", "fit_output", "say", "show_log"]


def show_log() -> None:
    """Shows the log of the package and hides warnings of TensorFlow."""
    logger = logging.getLogger("keras_infnet")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    # Several models in one process make it warn of retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose how training is reported."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--verbose",
        action="store_true",
        help="print all values that Keras reports, not one line per epoch",
    )
    group.add_argument(
        "--quiet", action="store_true", help="print nothing per epoch"
    )


def fit_output(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the arguments of `fit` that report training."""
    if options.verbose:
        return {"verbose": 1 if sys.stdout.isatty() else 2}
    if options.quiet:
        return {"verbose": 0}
    from keras_infnet.training import ProgressReport

    return {"verbose": 0, "callbacks": [ProgressReport()]}
