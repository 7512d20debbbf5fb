"""The settings of a sweep over one model."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from keras_infnet.experiments.settings import (
    ExperimentSettings,
    check_keys,
    check_types,
)
from keras_infnet.experiments.sweep.search_space import (
    Range,
    change_experiment,
    default_space,
    read_space,
)
from keras_infnet.schema import nearest_name
from keras_infnet.utils.json_values import json_safe

__all__ = ["SweepSettings"]

_TUNERS = ("random", "bayesian")


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """All settings of a sweep.

    Args:
        experiment: `ExperimentSettings` that the trials change. Its first
            seed is that of all trials, its directory keeps them.
        trials: integer. Trials in all. Defaults to `20`.
        tuner: `"random"` draws every trial by itself; `"bayesian"` lets
            the trials before decide, once there are three a range. Defaults
            to `"random"`.
        seed: integer. Seed of the draws. Defaults to `0`.
        space: mapping of path, `"training.learning_rate"` or
            `"model.num_blocks"`, to `Range` or its plain data; empty for
            `default_space()`. Defaults to `{}`.

    Raises:
        ValueError: If a path is no setting, or a value is out of range.

    Example:

    >>> settings = SweepSettings.from_dict({
    ...     "data": {"dataset": "synthetic"},
    ...     "sweep": {"space": {"model.dropout": {"low": 0, "high": 0.5}}},
    ... })
    >>> settings.recipe, settings.experiment.directory
    ({'model.dropout': 0.0}, 'runs/sweep')
    """

    experiment: ExperimentSettings
    trials: int = 20
    tuner: str = "random"
    seed: int = 0
    space: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self, "sweep")
        if self.trials < 1 or self.seed < 0:
            raise ValueError(
                "[sweep] trials must be positive and seed not negative. "
                f"Received: trials={self.trials}, seed={self.seed}."
            )
        if self.tuner == "hyperband":
            raise ValueError(
                "[sweep] tuner 'hyperband' is not offered: its trials go on "
                "for more epochs later, and a finished run here does not. "
                f"Choose one of {', '.join(_TUNERS)}, and let `patience` of "
                "[training] end poor trials."
            )
        if self.tuner not in _TUNERS:
            raise ValueError(nearest_name(self.tuner, _TUNERS, "tuner"))
        written = {
            path: found.to_dict() if isinstance(found, Range) else found
            for path, found in self.space.items()
        }
        space = read_space(written, self.experiment) or default_space()
        object.__setattr__(self, "space", space)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "SweepSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        values = {"directory": "runs/sweep", **config}
        own = [field.name for field in dataclasses.fields(cls)]
        own.remove("experiment")
        fields = [f.name for f in dataclasses.fields(ExperimentSettings)]
        check_keys(values, [*fields, "sweep"], "section")
        section = values.pop("sweep", {})
        if not isinstance(section, Mapping):
            raise ValueError(
                f"[sweep] must be a table of settings. Received: {section!r}."
            )
        check_keys(section, own, "key of [sweep]")
        return cls(ExperimentSettings.from_dict(values), **section)

    @property
    def directory(self) -> str:
        """Where finished trials and results are kept."""
        return self.experiment.directory

    @property
    def recipe(self) -> dict[str, Any]:
        """What the settings have, as they are, for the paths of the space."""
        model = dict(self.experiment.model)
        cls = self.experiment.model_class
        signature = inspect.signature(cls.__init__).parameters
        preset = cls.presets.get(model.get("preset"), {})
        found = {}
        for path in self.space:
            section, name = path.split(".", 1)
            if section == "training":
                found[path] = getattr(self.experiment.training, name)
                continue
            default = signature[name].default if name in signature else None
            found[path] = model.get(name, preset.get(name, default))
        return {path: _plain(value) for path, value in found.items()}

    def changed(self, changes: Mapping[str, Any]) -> ExperimentSettings:
        """Returns the settings of a trial.

        Args:
            changes: mapping of path to value.

        Returns:
            `ExperimentSettings`.
        """
        return change_experiment(self.experiment, changes)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        return {
            **self.experiment.to_dict(),
            "sweep": {
                "trials": self.trials,
                "tuner": self.tuner,
                "seed": self.seed,
                "space": {p: r.to_dict() for p, r in self.space.items()},
            },
        }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else json_safe(value)
