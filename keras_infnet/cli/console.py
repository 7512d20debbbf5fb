"""What the commands tell the terminal."""

import logging
import sys

__all__ = ["progress", "say", "show_log"]


def show_log() -> None:
    """Shows what the package reports, and hides what TensorFlow warns of."""
    logger = logging.getLogger("keras_infnet")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    # Several models in a process are no reason to warn of retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


def progress() -> int:
    """Chooses what `fit` shows."""
    return 1 if sys.stdout.isatty() else 2
