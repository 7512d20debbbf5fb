"""The models with a part taken out, as their papers do it."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_infnet import models
from keras_infnet.schema import nearest_name

__all__ = ["ablations"]

Arms = dict[str, dict[str, Any]]


def ablations(model: Mapping[str, Any]) -> Arms:
    """Returns what changes in a model when one of its parts is taken out.

    - `INFNet`: no task tokens, no stage 1, no stage 2, attention of all
      tokens to all in place of hubs or proxies, half and twice as many
      categorical hubs or proxies, hubs that start as means or at random.
      With `tower_inputs="all"` also towers that read the task tokens only;
      they do so too where there are no hubs or proxies to read.
    - `InterFormer`: events read fields only, fields read events only, and
      neither reads the other.

    Args:
        model: mapping. `name` of a class in `keras_infnet.models`, `preset`
            (optional) and constructor arguments.

    Returns:
        Dict of constructor arguments by the label of the arm, those of the
        papers' main tables first.

    Raises:
        ValueError: If the model has no ablations, or lacks a part already.

    Example:

    >>> for label, change in ablations({"name": "InterFormer"}).items():
    ...     print(label, change)
    events read fields only {'exchange': 'n2s'}
    fields read events only {'exchange': 's2n'}
    no exchange {'exchange': 'none'}
    """
    name = str(model["name"])
    if name not in _ARMS:
        raise ValueError(
            f"{name} has no ablations. Models that have: {', '.join(_ARMS)}, "
            "on their own and not as the `trunk` of another."
        )
    whole = _arguments(name, model)
    part, value = _WHOLE[name]
    if _plain(whole[part]) != value:
        raise ValueError(
            f"ablations are compared with the whole model: leave `{part}` of "
            f"{name} at {value!r}. Received: {part}={whole[part]!r}."
        )
    return _ARMS[name](whole)


def _arguments(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """All constructor arguments, defaults and those of the preset too."""
    cls = getattr(models, name)
    if "preset" in model and model["preset"] not in cls.presets:
        raise ValueError(nearest_name(model["preset"], cls.presets, "preset"))
    parameters = inspect.signature(cls.__init__).parameters
    defaults = {name: part.default for name, part in parameters.items()}
    return {**defaults, **cls.presets.get(model.get("preset"), {}), **model}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _infnet(whole: Mapping[str, Any]) -> Arms:
    variant, defaults = whole["variant"], models.INFNet.default_tokens
    if variant not in defaults:
        raise ValueError(nearest_name(variant, defaults, "variant"))
    compact, first, second = {
        "hub": ("hubs", "aggregation", "broadcast"),
        "proxy": ("proxies", "cross attention", "gates"),
    }[variant]
    arms: Arms = {
        "without task tokens": {"ablate": ["task"]},
        f"without stage 1 ({first})": {"ablate": ["aggregate"]},
        f"without stage 2 ({second})": {"ablate": ["broadcast"]},
        f"without {compact} (all to all)": {"ablate": ["hubs"]},
    }
    all_read = whole["tower_inputs"] == "all"
    if all_read:
        arms[f"without {compact} (all to all)"]["tower_inputs"] = "task"
        arms["towers read task tokens only"] = {"tower_inputs": "task"}
    if whole["num_blocks"] == 1 and not all_read:
        return arms  # nothing would read the hubs or proxies of fields
    count = whole["num_categorical_tokens"] or defaults[variant]["categorical"]
    if isinstance(count, int):  # else the model refuses it when it is built
        for other in (count // 2, 2 * count):
            if other:
                label = f"categorical {compact}: {other}"
                arms[label] = {"num_categorical_tokens": other}
    if variant == "hub":
        for start, words in (("mean", "as means"), ("random", "at random")):
            arms[f"hubs start {words}"] = {"hub_initialization": start}
    return arms


def _interformer(whole: Mapping[str, Any]) -> Arms:
    return {
        "events read fields only": {"exchange": "n2s"},
        "fields read events only": {"exchange": "s2n"},
        "no exchange": {"exchange": "none"},
    }


_ARMS: dict[str, Callable[[Mapping[str, Any]], Arms]] = {
    "INFNet": _infnet,
    "InterFormer": _interformer,
}
# What the whole model has, and no ablated one.
_WHOLE: dict[str, tuple[str, Any]] = {
    "INFNet": ("ablate", ()),
    "InterFormer": ("exchange", "both"),
}
