"""Multi-task ranking models for Keras 3, from a table to a served model."""

import importlib
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

_ROOMS = (
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
)


def __getattr__(name: str) -> ModuleType:
    # pandas, pyarrow and scikit-learn take a second to import: only when used.
    if name in _ROOMS:
        return importlib.import_module(f"keras_infnet.{name}")
    raise AttributeError(f"module 'keras_infnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


# The program chooses the backend by its options, so it must come to them
# before Keras is imported. Everybody else gets all classes registered, so
# that `keras.models.load_model` finds them.
if pathlib.PurePath(sys.argv[0] if sys.argv else "").stem != "keras-infnet":
    from keras_infnet import models, training  # noqa: F401
