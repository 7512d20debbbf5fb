"""Model classes by name or import path."""

import importlib
import sys
from typing import Any

import keras

from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.ranker import Ranker
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import nearest_name

__all__ = ["find_model", "model_names"]

_PACKAGE = "keras_infnet.models"
_BASE_CLASSES = (Ranker, FeatureRanker, TrunkRanker)


def model_names() -> tuple[str, ...]:
    """Returns the names of the models of this package, sorted.

    Returns:
        Tuple of strings for `find_model`.

    Example:

    >>> "INFNet" in model_names()
    True
    """
    return tuple(sorted(_model_classes(importlib.import_module(_PACKAGE))))


def find_model(name: str) -> type[Ranker]:
    """Returns the model class that settings name.

    Args:
        name: string. A class of `keras_infnet.models`, such as `"INFNet"`, or
            the import path of your own subclass, such as
            `"my_package.my_module:MyNet"`. Its module is imported, as
            `import my_package.my_module` would.

    Returns:
        A subclass of `keras_infnet.models.Ranker`.

    Raises:
        ValueError: If there is no such module or class, or the class is not
            a subclass of `Ranker`.

    Example:

    >>> find_model("INFNet").__name__
    'INFNet'
    >>> find_model("keras_infnet.models:GDCN").__name__
    'GDCN'
    """
    if not isinstance(name, str):
        raise ValueError(
            "the name of a model must be a string. "
            f"Received: {name!r} of type {type(name).__name__}."
        )
    module_name, colon, class_name = name.partition(":")
    if not colon:
        module_name, class_name = _PACKAGE, name
    if not class_name or not all(
        part.isidentifier() for part in module_name.split(".")
    ):
        raise ValueError(
            "the import path of a model must look like "
            f"'my_package.my_module:MyNet'. Received: {name!r}."
        )
    module = _import(module_name, name)
    classes = _model_classes(module)
    if class_name in classes:
        found = classes[class_name]
        if ">" not in keras.saving.get_registered_name(found):
            raise ValueError(
                f"saved files of model {name!r} could not be loaded: put "
                f'`@keras.saving.register_keras_serializable("{module_name}")` '
                "above its class."
            )
        return found
    if not colon:
        raise ValueError(
            f"{nearest_name(name, classes, 'model')} Name your own model by "
            "its import path, such as 'my_package.my_module:MyNet'."
        )
    if not hasattr(module, class_name):
        message = nearest_name(
            class_name, classes, f"model of module {module_name!r}:"
        )
        raise ValueError(f"{message} Received: {name!r}.")
    found = getattr(module, class_name)
    raise ValueError(
        f"{name!r} is not a model: it must be a subclass of "
        f"`keras_infnet.models.Ranker`. Received: {found!r}."
    )


def _import(module_name: str, name: str) -> Any:
    """Imports a module; errors name the model and the module."""
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        # The missing module may be one that this module imports.
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise ValueError(
                f"model {name!r}: importing {module_name!r} failed, because "
                f"it needs the module {missing!r}, which is not installed."
            ) from error
        raise ValueError(
            f"model {name!r}: there is no module {missing!r}. Install its "
            "package, or add the folder that holds it to PYTHONPATH. "
            f"Searched: {', '.join(path or '.' for path in sys.path)}."
        ) from error
    except Exception as error:
        raise ValueError(
            f"model {name!r}: importing {module_name!r} failed with "
            f"{type(error).__name__}: {error}"
        ) from error


def _model_classes(module: Any) -> dict[str, type[Ranker]]:
    """Returns the model classes of a module by name."""
    names = vars(module)
    if module.__name__ == _PACKAGE:
        names = {name: names[name] for name in module.__all__}
    return {
        name: value
        for name, value in names.items()
        if isinstance(value, type)
        and issubclass(value, Ranker)
        and value not in _BASE_CLASSES
        and not name.startswith("_")
    }
