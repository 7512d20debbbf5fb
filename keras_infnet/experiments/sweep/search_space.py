"""What a sweep may change, and between which bounds."""

import dataclasses
import inspect
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from keras_infnet.experiments.comparison.settings import SearchSettings
from keras_infnet.experiments.settings import (
    ExperimentSettings,
    TrainingSettings,
    check_keys,
)
from keras_infnet.models.base.constructor_arguments import check_arguments
from keras_infnet.schema import nearest_name
from keras_infnet.training import make_optimizer
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = [
    "Range",
    "change_experiment",
    "default_space",
    "read_space",
]

_SCALES = ("linear", "log")
_KEYS = ("low", "high", "scale", "values")
_REFUSED = {
    "model.name": "A sweep is of one model; `keras-infnet compare` is for "
    "several.",
    "model.stage": "Training goes through both stages of AutoIFS.",
    "training.seeds": "To choose the best of several seeds is to choose noise.",
}
_OPTIMIZER = tuple(inspect.signature(make_optimizer).parameters)


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a setting may get: two bounds, or a list.

    Args:
        low: number or `None`. Smallest value. Defaults to `None`.
        high: number or `None`. Largest value; with two integers only
            integers are drawn. Defaults to `None`.
        scale: `"linear"` or `"log"`. Where values lie evenly between the
            bounds. Defaults to `"linear"`.
        values: sequence or `None`. Values of any kind, in place of bounds.
            Defaults to `None`.

    Raises:
        ValueError: If it is neither two bounds nor a list of values.

    Example:

    >>> Range(0.001, 0.1, "log").holds(0.05), Range(values=[1, 2]).holds(3)
    (True, False)
    """

    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    values: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if self.scale not in _SCALES:
            raise ValueError(nearest_name(self.scale, _SCALES, "scale"))
        if self.values is not None:
            self._check_values()
            return
        bounds = (self.low, self.high)
        for bound in bounds:
            if not fits(bound, float) or not math.isfinite(bound or 0):
                raise ValueError(
                    "give `low` and `high`, two numbers, or `values`, a "
                    f"list. Received: low={self.low!r}, high={self.high!r}."
                )
        low, high = typing.cast(tuple[float, float], bounds)
        if low >= high:
            raise ValueError(
                f"`low` must be below `high`. Received: low={low}, high={high}."
            )
        if self.scale == "log" and low <= 0:
            raise ValueError(
                f'`low` must be above 0 where scale="log". Received: {low}.'
            )

    def _check_values(self) -> None:
        if self.low is not None or self.high is not None:
            raise ValueError("give either `values` or `low` and `high`.")
        if self.scale != "linear":
            raise ValueError("`scale` is for `low` and `high` alone.")
        if not isinstance(self.values, list | tuple) or not self.values:
            raise ValueError(
                f"`values` must be a list of values. Received: {self.values!r}."
            )
        object.__setattr__(self, "values", tuple(self.values))
        texts = self.texts
        if len(set(texts)) < len(texts):
            raise ValueError(
                f"`values` must differ. Received: {list(self.values)!r}."
            )

    @property
    def whole(self) -> bool:
        """Whether only integers lie between the bounds."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def texts(self) -> list[str]:
        """The values as texts, which tell 1 from true and compare lists."""
        return [_text(value) for value in self.values or ()]

    def holds(self, value: Any) -> bool:
        """Tells whether a value is among those of the range."""
        if self.values is not None:
            return _text(value) in self.texts
        if not fits(value, int if self.whole else float):
            return False
        low, high = typing.cast(tuple[float, float], (self.low, self.high))
        return bool(low <= value <= high)

    def to_dict(self) -> dict[str, Any]:
        """Returns the range as plain data."""
        if self.values is not None:
            return {"values": list(self.values)}
        return {"low": self.low, "high": self.high, "scale": self.scale}


def default_space() -> dict[str, Range]:
    """Returns the ranges of a sweep without a space, those of `compare`.

    Example:

    >>> sorted(default_space())[0]
    'training.embedding_learning_rate'
    """
    search = SearchSettings()
    space = {}
    for name in search.ranges:
        low, high = getattr(search, name)
        space[f"training.{name}"] = Range(low, high, "log")
    return space


def read_space(
    written: Mapping[str, Any], experiment: ExperimentSettings
) -> dict[str, Range]:
    """Reads and checks the ranges of a settings file, by path.

    Paths are `"training.learning_rate"` or nested, as TOML reads
    `training.learning_rate = ...`.

    Example:

    >>> experiment = ExperimentSettings.from_dict(
    ...     {"data": {"dataset": "synthetic"}}
    ... )
    >>> read_space({"model": {"num_block": {"values": [1]}}}, experiment)
    Traceback (most recent call last):
    ...
    ValueError: unknown key of [sweep.space] 'model.num_block'. Did you ...
    """
    kinds = _kinds(experiment)
    space = {}
    for path, value in _paths(written):
        if path in _REFUSED:
            raise ValueError(
                f"[sweep.space] cannot have {path!r}. {_REFUSED[path]}"
            )
        if path not in kinds:
            raise ValueError(nearest_name(path, kinds, "key of [sweep.space]"))
        try:
            space[path] = _read_range(value, kinds[path])
            for end in _ends(space[path]):
                _check_value(path, end, experiment)
        except ValueError as error:
            raise ValueError(f"[sweep.space] {path}: {error}") from None
    return space


def change_experiment(
    experiment: ExperimentSettings, changes: Mapping[str, Any]
) -> ExperimentSettings:
    """Returns settings with other values at some paths.

    Example:

    >>> experiment = ExperimentSettings.from_dict(
    ...     {"data": {"dataset": "synthetic"}}
    ... )
    >>> changed = change_experiment(experiment, {"model.num_blocks": 3})
    >>> changed.model
    {'num_blocks': 3}
    """
    parts: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for path, value in changes.items():
        section, name = path.split(".", 1)
        parts[section][name] = value
    return dataclasses.replace(
        experiment,
        model={**experiment.model, **parts["model"]},
        training=dataclasses.replace(experiment.training, **parts["training"]),
    )


def _text(value: Any) -> str:
    return json.dumps(value, default=str)


def _paths(written: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for key, value in written.items():
        if "." in key:
            found.append((key, value))
            continue
        check_keys([key], ("model", "training"), "key of [sweep.space]")
        if not isinstance(value, Mapping):
            raise ValueError(
                f"[sweep.space] {key} must be a table of ranges. "
                f"Received: {value!r}."
            )
        found += [(f"{key}.{name}", part) for name, part in value.items()]
    paths = [path for path, _ in found]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"[sweep.space] has {path!r} twice.")
    return found


def _kinds(experiment: ExperimentSettings) -> dict[str, Any]:
    """Annotations of all settings that a sweep may change, by path."""
    constructor: Any = experiment.model_class.__init__
    hints = typing.get_type_hints(constructor)
    names = inspect.signature(constructor).parameters
    left_out = ("self", "schema", "kwargs")
    arguments = {n: hints.get(n, Any) for n in names if n not in left_out}
    arguments["preset"] = str
    kinds = {f"model.{name}": hint for name, hint in arguments.items()}
    for name, hint in typing.get_type_hints(TrainingSettings).items():
        kinds[f"training.{name}"] = hint
    return {p: hint for p, hint in kinds.items() if p not in _REFUSED}


def _read_range(value: Any, hint: Any) -> Range:
    if not isinstance(value, Mapping):
        raise ValueError(
            "a range is a table, { low = ..., high = ... } or "
            f"{{ values = [...] }}. Received: {value!r}."
        )
    check_keys(value, _KEYS, "key of a range")
    found = Range(**value)
    if found.values is not None:
        return found
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = set(typing.get_args(hint)) if union else {hint}
    if float in kinds:
        # Of numbers, integers are no more than their notation.
        return dataclasses.replace(
            found, low=float(value["low"]), high=float(value["high"])
        )
    if int in kinds and not found.whole:
        raise ValueError(
            "`low` and `high` must be integers. "
            f"Received: low={found.low}, high={found.high}."
        )
    if not kinds & {int, Any}:
        raise ValueError(
            f"it is {in_words(hint)}: give a list of `values` in place of "
            "`low` and `high`."
        )
    return found


def _ends(found: Range) -> Sequence[Any]:
    return (found.low, found.high) if found.values is None else found.values


def _check_value(path: str, value: Any, experiment: ExperimentSettings) -> None:
    """Raises for a value that the settings do not take."""
    changed = change_experiment(experiment, {path: value})
    section, name = path.split(".", 1)
    if section == "training":
        recipe = dataclasses.asdict(changed.training)
        make_optimizer(**{n: recipe[n] for n in _OPTIMIZER if n in recipe})
    elif name != "preset":
        check_arguments(experiment.model_class, (), {name: value})
