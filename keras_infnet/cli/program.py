"""The program `keras-infnet`."""

import pathlib
import sys
from collections.abc import Sequence

from keras_infnet.cli.backend import choose_backend
from keras_infnet.cli.parser import load_command, make_parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `keras-infnet`.

    Args:
        arguments: list of strings or `None`. Command-line arguments; `None`
            takes those of the process. Defaults to `None`.

    Returns:
        Exit status: 0 on success, 2 on an error such as an invalid argument
        or file, 130 on an interrupt.

    Example:

    >>> main(["schema", "no-such-table.csv", "--label", "click"])
    2
    """
    options = make_parser().parse_args(arguments)
    try:
        choose_backend(options.backend)
        load_command(options.command).run(options)
    except KeyboardInterrupt:
        return _interrupted()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if options.debug:
            raise
        first = _first_error(error)
        if isinstance(first, KeyboardInterrupt):
            return _interrupted()
        sys.stderr.write(f"keras-infnet: error: {first}\n")
        return 2
    return 0


def _interrupted() -> int:
    sys.stderr.write("\ninterrupted\n")
    return 130


def _first_error(error: BaseException) -> BaseException:
    """Returns the error that came first, where cleaning up failed too."""
    while (
        error.__cause__ is None
        and error.__context__ is not None
        and not error.__suppress_context__
        and not _failed_to_make_folder(error, error.__context__)
    ):
        error = error.__context__
    return error


def _failed_to_make_folder(error: BaseException, before: BaseException) -> bool:
    """Tells whether a parent folder of a missing path could not be made."""
    if not isinstance(error, OSError) or not isinstance(
        before, FileNotFoundError
    ):
        return False
    parent, missing = error.filename, before.filename
    if not isinstance(parent, str) or not isinstance(missing, str):
        return False
    return pathlib.Path(parent) in pathlib.Path(missing).parents
