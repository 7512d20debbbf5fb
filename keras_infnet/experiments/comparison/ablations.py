"""Ablated variants of the models, as in their papers."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_infnet.schema.value_checks import check_choice

__all__ = ["ablations"]

Variants = dict[str, dict[str, Any]]


def ablations(model: Mapping[str, Any]) -> Variants:
    """Returns the constructor arguments that ablate parts of a model.

    - `INFNet`: no task tokens; no stage 1; no stage 2; all-to-all attention
      instead of hubs or proxies; half and twice as many categorical hubs or
      proxies; hubs initialized with means or at random. With
      `tower_inputs="all"` also towers that read the task tokens only, which
      the variant without hubs or proxies implies.
    - `InterFormer`: events read fields only; fields read events only; no
      exchange.

    Args:
        model: mapping. `name` of a class in `keras_infnet.models`, `preset`
            (optional) and constructor arguments.

    Returns:
        Dict of variant label to constructor arguments, the variants of the
        papers' main tables first.

    Raises:
        ValueError: If the model has no ablations or is ablated already.

    Example:

    >>> for label, change in ablations({"name": "InterFormer"}).items():
    ...     print(label, change)
    events read fields only {'exchange': 'n2s'}
    fields read events only {'exchange': 's2n'}
    no exchange {'exchange': 'none'}
    """
    name = str(model["name"])
    if name not in _VARIANTS:
        raise ValueError(
            f"{name} has no ablations. Models with ablations: "
            f"{', '.join(_VARIANTS)} (not as the `trunk` of another model)."
        )
    whole = _arguments(name, model)
    part, value = _WHOLE[name]
    received = whole[part]
    received = tuple(received) if isinstance(received, list) else received
    if received != value:
        raise ValueError(
            f"ablations start from the complete model: leave `{part}` of "
            f"{name} at {value!r}. Received: {part}={whole[part]!r}."
        )
    return _VARIANTS[name](whole)


def _arguments(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all constructor arguments, with defaults and the preset's."""
    from keras_infnet.models.find_model import find_model

    cls: Any = find_model(name)
    if "preset" in model:
        check_choice(model["preset"], tuple(cls.presets), "preset")
    parameters = inspect.signature(cls).parameters
    defaults = {name: part.default for name, part in parameters.items()}
    return {**defaults, **cls.presets.get(model.get("preset"), {}), **model}


def _infnet(whole: Mapping[str, Any]) -> Variants:
    from keras_infnet.models import INFNet

    variant, defaults = whole["variant"], INFNet.default_tokens
    check_choice(variant, tuple(defaults), "variant")
    compact, first, second = {
        "hub": ("hubs", "aggregation", "broadcast"),
        "proxy": ("proxies", "cross attention", "gates"),
    }[variant]
    found: Variants = {
        "without task tokens": {"ablate": ["task"]},
        f"without stage 1 ({first})": {"ablate": ["aggregate"]},
        f"without stage 2 ({second})": {"ablate": ["broadcast"]},
        f"without {compact} (all to all)": {"ablate": ["hubs"]},
    }
    all_read = whole["tower_inputs"] == "all"
    if all_read:
        found[f"without {compact} (all to all)"]["tower_inputs"] = "task"
        found["towers read task tokens only"] = {"tower_inputs": "task"}
    if whole["num_blocks"] == 1 and not all_read:
        return found  # nothing reads the hubs or proxies of fields
    count = whole["num_categorical_tokens"] or defaults[variant]["categorical"]
    if isinstance(count, int):  # otherwise the model's constructor raises
        for other in (count // 2, 2 * count):
            if other:
                label = f"categorical {compact}: {other}"
                found[label] = {"num_categorical_tokens": other}
    if variant == "hub":
        for start, words in (("mean", "as means"), ("random", "at random")):
            found[f"hubs start {words}"] = {"hub_initialization": start}
    return found


def _interformer(whole: Mapping[str, Any]) -> Variants:
    return {
        "events read fields only": {"exchange": "n2s"},
        "fields read events only": {"exchange": "s2n"},
        "no exchange": {"exchange": "none"},
    }


_VARIANTS: dict[str, Callable[[Mapping[str, Any]], Variants]] = {
    "INFNet": _infnet,
    "InterFormer": _interformer,
}
# Argument and value that only the complete model has.
_WHOLE: dict[str, tuple[str, Any]] = {
    "INFNet": ("ablate", ()),
    "InterFormer": ("exchange", "both"),
}
