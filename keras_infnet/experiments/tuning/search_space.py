"""Search space of a sweep: paths of settings and their ranges."""

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
from keras_infnet.schema import nearest_name
from keras_infnet.schema.value_checks import check_choice
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = [
    "Range",
    "as_text",
    "change_experiment",
    "default_space",
    "read_space",
]

_KEYS = ("low", "high", "scale", "values")
_REFUSED = {
    "model.name": "A sweep tunes one model; `keras-infnet compare` compares "
    "several.",
    "model.stage": "Training runs both stages of AutoIFS.",
    "training.seeds": "Selecting the best of several seeds selects noise.",
}


@dataclasses.dataclass(frozen=True)
class Range:
    """Values that a sweep tries for one setting: two bounds, or a list.

    Args:
        low: number or `None`. Smallest value. Defaults to `None`.
        high: number or `None`. Largest value; two integer bounds draw
            integers only. Defaults to `None`.
        scale: `"linear"` or `"log"`. Scale on which values are drawn
            uniformly. Defaults to `"linear"`.
        values: sequence or `None`. Values of any type, instead of bounds.
            Defaults to `None`.

    Raises:
        ValueError: If the arguments are neither two bounds nor a list of
            values.

    Example:

    >>> Range(0.001, 0.1, "log").holds(0.05), Range(values=[1, 2]).holds(3)
    (True, False)
    """

    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    values: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        check_choice(self.scale, ("linear", "log"), "scale")
        if self.values is not None:
            if (self.low, self.high, self.scale) != (None, None, "linear"):
                raise ValueError(
                    "give either `values`, or `low`, `high` and `scale`. "
                    f"Received: {self}."
                )
            values: Any = self.values
            if not isinstance(values, list | tuple) or not values:
                raise ValueError(
                    f"`values` must be a list of values. Received: {values!r}."
                )
            if len(set(self.texts)) < len(values):
                raise ValueError(
                    f"`values` must be distinct. Received: values={values!r}."
                )
            object.__setattr__(self, "values", tuple(values))
            return
        low, high = typing.cast(tuple[float, float], (self.low, self.high))
        for bound in (low, high):
            if not fits(bound, float) or not math.isfinite(bound):
                raise ValueError(
                    "give `low` and `high`, two numbers, or `values`, a "
                    f"list. Received: low={low!r}, high={high!r}."
                )
        if low >= high:
            raise ValueError(
                f"`low` must be below `high`. Received: low={low}, high={high}."
            )
        if self.scale == "log" and low <= 0:
            raise ValueError(
                f'`low` must be above 0 where scale="log". Received: low={low}.'
            )

    @property
    def whole(self) -> bool:
        """Whether only integers lie between the bounds."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def texts(self) -> list[str]:
        """The values as JSON, which distinguishes 1 from true."""
        return [as_text(value) for value in self.values or ()]

    def holds(self, value: Any) -> bool:
        """Returns whether the range contains a value."""
        if self.values is not None:
            return as_text(value) in self.texts
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
    """Returns the default ranges, the bounds of `SearchSettings`.

    Example:

    >>> sorted(default_space())[0]
    'training.embedding_learning_rate'
    """
    search = SearchSettings()
    return {
        f"training.{name}": Range(low, high, "log")
        for name in search.ranges
        for low, high in [getattr(search, name)]
    }


def read_space(
    written: Mapping[str, Any], experiment: ExperimentSettings
) -> dict[str, Range]:
    """Reads and checks ranges, from a flat mapping of paths or a nested one.

    TOML reads `training.learning_rate = ...` as nested tables.

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
            found = space[path]
            for end in found.values or (found.low, found.high):
                _check_value(path, end, experiment)
        except ValueError as error:
            raise ValueError(f"[sweep.space] {path}: {error}") from None
    return space


def as_text(value: Any) -> str:
    """Returns a value as JSON."""
    return json.dumps(value, default=str)


def change_experiment(
    experiment: ExperimentSettings, changes: Mapping[str, Any]
) -> ExperimentSettings:
    """Returns settings with new values at some paths.

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
    """Returns the annotations of all settings that a sweep can change."""
    kinds: dict[str, Any] = {"model.preset": str}
    parameters = inspect.signature(experiment.model_class).parameters
    for name, parameter in parameters.items():
        if name not in ("schema", "name", "dtype"):
            kinds[f"model.{name}"] = parameter.annotation
    for name, hint in typing.get_type_hints(TrainingSettings).items():
        kinds[f"training.{name}"] = hint
    return {p: hint for p, hint in kinds.items() if p not in _REFUSED}


def _read_range(value: Any, hint: Any) -> Range:
    if isinstance(value, Range):
        value = value.to_dict()
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
        # `low = 1` draws floats, too, where the setting is a float.
        low, high = float(value["low"]), float(value["high"])
        return dataclasses.replace(found, low=low, high=high)
    if int in kinds and not found.whole:
        raise ValueError(
            "`low` and `high` must be integers. "
            f"Received: low={found.low}, high={found.high}."
        )
    if not kinds & {int, Any}:
        raise ValueError(
            f"expected {in_words(hint)}: give a list of `values` instead of "
            "`low` and `high`."
        )
    return found


def _check_value(path: str, value: Any, experiment: ExperimentSettings) -> None:
    """Raises for a value that the settings reject."""
    from keras_infnet.models.base.constructor_arguments import check_arguments
    from keras_infnet.training import make_optimizer

    changed = change_experiment(experiment, {path: value})
    section, name = path.split(".", 1)
    if section == "training":
        make_optimizer(**changed.training.optimizer_arguments)
    elif name != "preset":
        check_arguments(experiment.model_class, (), {name: value})
