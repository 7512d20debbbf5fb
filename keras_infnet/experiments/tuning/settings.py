"""Settings of a sweep over one model."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from keras_infnet.experiments.settings import (
    ExperimentSettings,
    check_keys,
    check_values,
    read_section,
)
from keras_infnet.experiments.tuning.search_space import (
    change_experiment,
    default_space,
    read_space,
)
from keras_infnet.schema.value_checks import check_choice
from keras_infnet.utils.json_values import json_safe

__all__ = ["SweepSettings"]

_TUNERS = ("random", "bayesian")


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """All settings of a sweep.

    Args:
        experiment: `ExperimentSettings` that the trials change. All trials use
            its first seed and are kept in its directory.
        trials: integer. Total number of trials. Defaults to `20`.
        tuner: `"random"` draws every trial independently; `"bayesian"` draws
            from a model of the previous scores, after three trials per range.
            Defaults to `"random"`.
        seed: integer. Seed of the draws. Defaults to `0`.
        space: mapping of path, such as `"training.learning_rate"` or
            `"model.num_blocks"`, to `Range` or its plain data; empty for the
            default bounds of `SearchSettings`. Defaults to `{}`.

    Raises:
        ValueError: If a path is not a setting, or a value is out of range.

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
        check_values(self, "sweep", trials=1, seed=0)
        if self.tuner == "hyperband":
            raise ValueError(
                "[sweep] tuner 'hyperband' is not supported, because finished "
                f"trials are never resumed. Use one of {', '.join(_TUNERS)}, "
                "and `patience` of [training] to stop poor trials early."
            )
        check_choice(self.tuner, _TUNERS, "tuner")
        space = default_space()
        if self.space:
            space = read_space(self.space, self.experiment)
        object.__setattr__(self, "space", space)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "SweepSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        values = {"directory": "runs/sweep", **config}
        fields = [f.name for f in dataclasses.fields(ExperimentSettings)]
        check_keys(values, [*fields, "sweep"], "section")
        section = values.pop("sweep", {})
        experiment = ExperimentSettings.from_dict(values)
        return read_section(cls, section, "sweep", experiment=experiment)

    @property
    def directory(self) -> str:
        """Directory of finished trials and results."""
        return self.experiment.directory

    @property
    def recipe(self) -> dict[str, Any]:
        """Values of the unchanged settings at the paths of the space."""
        model = dict(self.experiment.model)
        cls = self.experiment.model_class
        signature = inspect.signature(cls).parameters
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
