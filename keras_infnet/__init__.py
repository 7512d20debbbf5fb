"""Multi-task ranking models for Keras 3, from a table to a served model."""

import importlib
import importlib.util
import json
import os
import pathlib
import sys
from types import ModuleType

from keras_infnet.schema import Behavior, Categorical, Numeric, Schema, Task
from keras_infnet.version import __version__

__all__ = [
    "Behavior",
    "Categorical",
    "Numeric",
    "Schema",
    "Task",
    "__version__",
    "benchmarks",
    "data",
    "evaluation",
    "experiments",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "serving",
    "testing",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    # pandas, pyarrow and scikit-learn take a second to import: only when used.
    if name in __all__:
        return importlib.import_module(f"keras_infnet.{name}")
    raise AttributeError(f"module 'keras_infnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def _choose_backend() -> None:
    """Chooses JAX or PyTorch where Keras would miss TensorFlow.

    Nothing changes where the user has chosen a backend in `KERAS_BACKEND` or
    in Keras's own file. TensorFlow in that file is no choice: Keras writes it
    there when it is imported first.
    """
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    try:
        file = pathlib.Path(home).expanduser() / "keras.json"
        chosen = json.loads(file.read_text("utf-8")).get("backend")
    except (OSError, ValueError, AttributeError, RuntimeError):
        chosen = None
    if chosen not in (None, "tensorflow"):
        return
    installed = [
        backend
        for backend in ("tensorflow", "jax", "torch")
        if importlib.util.find_spec(backend) is not None
    ]
    if installed and installed[0] != "tensorflow":
        os.environ["KERAS_BACKEND"] = installed[0]


def _is_program() -> bool:
    """Tells whether `keras-infnet` or `python -m keras_infnet.cli` runs."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # until Python has found the module
        modules = ("keras_infnet.cli", "keras_infnet.cli.__main__")
        return any(word.removeprefix("-m") in modules for word in sys.orig_argv)
    return pathlib.PurePath(program).stem == "keras-infnet"


_choose_backend()

# The program chooses the backend by its options, so it must come to them
# before Keras is imported. Everybody else gets all classes registered, so
# that `keras.models.load_model` finds them.
if not _is_program():
    from keras_infnet import models, training  # noqa: F401
