"""The command line: a thin layer over the Python interface."""

from keras_infnet.cli.program import main

__all__ = ["main"]
