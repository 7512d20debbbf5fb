"""The program `keras-infnet`."""

import contextlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

from keras_infnet.cli.parser import load_command, make_parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `keras-infnet`.

    Args:
        arguments: list of strings or `None`. The words behind the program's
            name; `None` takes those of the process. Defaults to `None`.

    Returns:
        Exit status: 0 on success, 2 for a mistake of the user's, 130 for an
        interrupt.

    Example:

    >>> main(["schema", "no-such-table.csv", "--label", "click"])
    2
    """
    options = make_parser().parse_args(arguments)
    if options.backend is not None:
        if "keras" in sys.modules:
            import keras

            if keras.backend.backend() != options.backend:
                return _fail(
                    f"Keras runs on {keras.backend.backend()!r} already. Set "
                    f"KERAS_BACKEND={options.backend} in the environment."
                )
        os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Only now: the backend is fixed when Keras is imported.
    try:
        with _quiet_start():
            import keras

            # Loads the devices of the backend, with all their messages.
            keras.ops.convert_to_tensor(0.0)
            if options.command in ("quickstart", "train", "compare", "sweep"):
                # To seed it, Keras loads TensorFlow where it is installed,
                # whatever the backend.
                keras.utils.set_random_seed(0)
    except ImportError as error:
        return _fail(f"{error}. {_install_hint()}")
    try:
        load_command(options.command).run(options)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if options.debug:
            raise
        origin = _origin(error)
        if isinstance(origin, KeyboardInterrupt):
            sys.stderr.write("\ninterrupted\n")
            return 130
        return _fail(str(origin))
    return 0


def _origin(error: BaseException) -> BaseException:
    """The error that came first, where cleaning up failed behind it."""
    while (
        error.__cause__ is None
        and error.__context__ is not None
        and not error.__suppress_context__
        and not _made_folder(error, error.__context__)
    ):
        error = error.__context__
    return error


def _made_folder(error: BaseException, before: BaseException) -> bool:
    """Tells whether folders were to be made, which is why one was missing."""
    if not isinstance(error, OSError) or not isinstance(
        before, FileNotFoundError
    ):
        return False
    parent, missing = error.filename, before.filename
    if not isinstance(parent, str) or not isinstance(missing, str):
        return False
    return pathlib.Path(parent) in pathlib.Path(missing).parents


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Hides what TensorFlow writes while it is loaded, unless that fails.

    It writes past `sys.stderr`, and some of it before any level is read.
    """
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # no standard error
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(original, 2)
            os.close(original)
            if failed:
                written.seek(0)
                sys.stderr.write(written.read().decode("utf-8", "replace"))


def _fail(message: str) -> int:
    sys.stderr.write(f"keras-infnet: error: {message}\n")
    return 2


def _install_hint() -> str:
    name = os.environ.get("KERAS_BACKEND", "tensorflow")
    return (
        f"The backend is {name!r}: install it with "
        f'`python -m pip install "keras-infnet[{name}]"`, or choose another '
        "with --backend or the variable KERAS_BACKEND."
    )
