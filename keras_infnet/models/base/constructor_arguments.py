"""Constructor arguments of models: signatures, checks and configs."""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_infnet.schema import nearest_name
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = [
    "Settings",
    "check_arguments",
    "plain_setting",
    "record_arguments",
    "registered_object",
    "signature_of",
]

#: Constructor arguments by name.
Settings = Mapping[str, Any]

# Arguments that are stored elsewhere than in the settings.
_NOT_SETTINGS = ("schema", "inputs", "outputs", "name", "dtype")


def signature_of(model_class: Any) -> inspect.Signature:
    """Returns the signature of a constructor with `**kwargs` spelled out.

    `**kwargs` is replaced by keyword arguments of the base class.
    """
    parameters = _parameters(model_class).values()
    return inspect.Signature(sorted(parameters, key=lambda p: p.kind))


def check_arguments(
    model_class: Any, args: tuple[Any, ...], kwargs: Settings
) -> None:
    """Raises `ValueError` for unknown arguments and wrong types."""
    parameters = _parameters(model_class)
    owner = model_class.__name__
    for name in kwargs:
        if name not in parameters:
            raise ValueError(
                nearest_name(name, parameters, f"argument of {owner}")
            )
    given = {**dict(zip(parameters, args, strict=False)), **kwargs}
    for name, value in given.items():
        kind = parameters[name].annotation
        if not fits(value, kind):
            raise ValueError(
                f"`{name}` of {owner} must be {in_words(kind)}. "
                f"Received: {name}={value!r}."
            )


def record_arguments(constructor: Callable[..., None]) -> Callable[..., None]:
    """Wraps a constructor so that it records its arguments.

    `arguments` holds those of the outermost constructor: the config of the
    model. `settings` holds the values that the graph is built from; they
    differ if a constructor passes other values to its base class.
    """
    signature = inspect.signature(constructor)
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    rest = list(signature.parameters)[-1]
    takes_rest = kinds[-1] is inspect.Parameter.VAR_KEYWORD

    @functools.wraps(constructor)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        outermost = "arguments" not in vars(self)
        if outermost:
            check_arguments(type(self), args, kwargs)
        bound = signature.bind(self, *args, **kwargs)
        given = _named(bound.arguments, rest if takes_rest else None)
        bound.apply_defaults()
        values = _named(bound.arguments, rest if takes_rest else None)
        if outermost:
            # Keras would track and copy attributes set in the usual way.
            vars(self)["arguments"] = dict(values)
        else:
            # The config includes defaults of base classes.
            defaults = {n: v for n, v in values.items() if n not in given}
            vars(self)["arguments"] = {**defaults, **self.arguments}
        known = vars(self).get("settings", {})
        vars(self)["settings"] = {**values, **known, **given}
        constructor(self, *args, **kwargs)

    # Keras reads it without unwrapping when it clones a model.
    __init__.__signature__ = signature  # type: ignore
    return __init__


def plain_setting(name: str, value: Any) -> Any:
    """Converts a setting to a JSON value."""
    if isinstance(value, keras.initializers.Initializer):
        return keras.initializers.serialize(value)
    if isinstance(value, Mapping):
        return {key: plain_setting(key, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain_setting(name, part) for part in value)
    if isinstance(value, type) or (callable(value) and name == "tower"):
        registered = keras.saving.get_registered_name(value)
        if keras.saving.get_registered_object(registered) is not value:
            raise ValueError(
                f"`{name}` of the model cannot be saved, because a file "
                "stores only the name of a function or class. Put "
                '`@keras.saving.register_keras_serializable("my_package")` '
                "above its definition, and import its module before loading "
                f"the model. Received: {name}={value!r}."
            )
        return {"registered_name": registered}
    return keras.activations.serialize(value) if callable(value) else value


def registered_object(name: str, value: Any) -> Any:
    """Returns the function or class that `plain_setting` has serialized."""
    if not isinstance(value, Mapping):
        return value
    registered = value.get("registered_name")
    found = keras.saving.get_registered_object(registered)
    if found is None:
        raise ValueError(
            f"`{name}` of the model is {registered!r}, which is not "
            "registered. Import its module before loading the model."
        )
    return found


def _named(arguments: Settings, rest: str | None) -> dict[str, Any]:
    """Returns bound arguments by name, including those of `**kwargs`."""
    named = {**arguments, **(arguments.get(rest, {}) if rest else {})}
    left_out = ("self", rest, *_NOT_SETTINGS)
    return {n: value for n, value in named.items() if n not in left_out}


def _parameters(model_class: Any) -> dict[str, inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for cls in model_class.__mro__:
        constructor = vars(cls).get("__init__")
        if constructor is None:
            continue
        if not hasattr(cls, "settings"):
            break  # Keras's own classes
        for parameter in _annotated(constructor):
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                break
            if found and cls is not model_class:
                parameter = parameter.replace(
                    kind=inspect.Parameter.KEYWORD_ONLY
                )
            if parameter.name not in ("inputs", "outputs"):
                found.setdefault(parameter.name, parameter)
        else:
            return found
    for name, kind in (("name", str | None), ("dtype", Any)):
        found[name] = inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=kind,
        )
    return found


def _annotated(constructor: Callable[..., None]) -> list[inspect.Parameter]:
    """Returns parameters without `self`; no type hint means `Any`."""
    try:
        hints = typing.get_type_hints(constructor)
    except NameError:  # a name that only a type checker imports
        hints = {}
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return [p.replace(annotation=hints.get(p.name, Any)) for p in parameters]
