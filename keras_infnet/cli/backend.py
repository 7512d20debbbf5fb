"""Choice and start of the backend, which takes seconds to import."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from keras_infnet.utils.installation import install_command

__all__ = ["BACKENDS", "choose_backend", "start_keras"]

BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend(name: str | None) -> None:
    """Sets the backend for the import of Keras; `None` leaves the choice.

    Raises `ValueError` for an unknown `KERAS_BACKEND`, or where Keras is
    imported with another backend.
    """
    chosen = os.environ.get("KERAS_BACKEND")
    if name is None:
        if chosen and chosen not in BACKENDS:
            raise ValueError(
                f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. "
                f"Received: KERAS_BACKEND={chosen!r}."
            )
        return
    if "keras" in sys.modules:
        import keras

        if keras.backend.backend() != name:
            raise ValueError(
                f"Keras runs on {keras.backend.backend()!r} already. Set "
                f"KERAS_BACKEND={name} in the environment."
            )
    os.environ["KERAS_BACKEND"] = name


def start_keras(training: bool = False) -> str:
    """Imports Keras without the messages of its backend.

    Args:
        training: boolean. Whether random seeds will be set. Defaults to
            `False`.

    Returns:
        Name of the backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _quiet():
            import keras

            # Loads the devices of the backend, with all their messages.
            keras.ops.convert_to_tensor(0.0)
            if training:
                # Setting seeds loads TensorFlow where it is installed,
                # whatever the backend.
                keras.utils.set_random_seed(0)
    except ImportError as error:
        name = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise ImportError(
            f"{error}. The backend is {name!r}: install it with "
            f"`{install_command(name)}`, or choose another with --backend or "
            "the variable KERAS_BACKEND."
        ) from error
    return str(keras.backend.backend())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what TensorFlow writes when it is loaded, unless that fails.

    TensorFlow bypasses `sys.stderr`, and writes some of it before it reads
    any log level.
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
