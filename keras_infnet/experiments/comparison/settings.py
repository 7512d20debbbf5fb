"""The settings of a comparison of models."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.experiments.comparison.ablations import ablations
from keras_infnet.experiments.settings import (
    DataSettings,
    EvaluationSettings,
    ExperimentSettings,
    TrainingSettings,
    check_keys,
    check_types,
    read_section,
)
from keras_infnet.schema import nearest_name

__all__ = ["ComparisonSettings", "SearchSettings"]


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """A small search, the same for every model.

    Each trial trains with numbers drawn between the bounds, evenly on a
    logarithmic scale; the first one is the recipe as it is. The trial with
    the best mean AUC on the validation rows gives the model its recipe. All
    models get the same draws.

    Args:
        trials: integer. Trials a model. `1` is no search. Defaults to `1`.
        seed: integer. Seed of the draws. Defaults to `0`.
        learning_rate: two floats. Defaults to `(0.0005, 0.004)`.
        embedding_learning_rate: two floats. Defaults to `(0.02, 0.2)`.
        weight_decay: two floats. Defaults to `(0.000001, 0.01)`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> SearchSettings(trials=3).draw()[0]
    {}
    """

    trials: int = 1
    seed: int = 0
    learning_rate: tuple[float, ...] = (5e-4, 4e-3)
    embedding_learning_rate: tuple[float, ...] = (0.02, 0.2)
    weight_decay: tuple[float, ...] = (1e-6, 1e-2)

    def __post_init__(self) -> None:
        check_types(self, "search")
        if self.trials < 1 or self.seed < 0:
            raise ValueError(
                "[search] trials must be positive and seed not negative. "
                f"Received: trials={self.trials}, seed={self.seed}."
            )
        for name in self.ranges:
            bounds = tuple(getattr(self, name))
            object.__setattr__(self, name, bounds)
            if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] < math.inf:
                raise ValueError(
                    f"[search] {name} must be two positive numbers, the "
                    f"smaller one first. Received: {list(bounds)!r}."
                )

    @property
    def ranges(self) -> tuple[str, ...]:
        """Names of the training settings that are searched."""
        return ("learning_rate", "embedding_learning_rate", "weight_decay")

    def draw(self) -> list[dict[str, float]]:
        """Returns what each trial changes in the recipe."""
        generator = np.random.default_rng(self.seed)
        trials: list[dict[str, float]] = [{}]
        for _ in range(self.trials - 1):
            trial = {}
            for name in self.ranges:
                low, high = np.log(getattr(self, name))
                value = math.exp(generator.uniform(low, high))
                trial[name] = float(f"{value:.3g}")
            trials.append(trial)
        return trials


@dataclasses.dataclass(frozen=True)
class ComparisonSettings:
    """All settings of a comparison.

    Args:
        data: `DataSettings`.
        models: list of mappings: `name` of a class in `keras_infnet.models`
            or the import path of your own, `preset` (optional), constructor
            arguments, and `label`, what the tables call it (defaults to the
            name).
        training: `TrainingSettings`, the recipe of all models. Defaults to
            `TrainingSettings()`.
        search: `SearchSettings`. Defaults to `SearchSettings()`.
        evaluation: `EvaluationSettings`. Its baselines stand in the tables
            too. Defaults to `EvaluationSettings()`.
        reference: string or `None`. Label of the model that the others are
            tested against; `None` is the first. Defaults to `None`.
        resamples: integer. Resamples of users behind an interval. Defaults to
            `200`.
        directory: string. Where finished runs and results are kept. Defaults
            to `"runs/comparison"`.
        title: string. Name of the files of results. Defaults to
            `"comparison"`.

    Raises:
        ValueError: If a model, label or argument is not known.

    Example:

    >>> settings = ComparisonSettings.from_dict({
    ...     "data": {"dataset": "synthetic"},
    ...     "models": [{"name": "DCNv2"}, {"name": "INFNet"}],
    ... })
    >>> settings.labels
    ['DCNv2', 'INFNet']
    """

    data: DataSettings
    models: tuple[Mapping[str, Any], ...]
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    reference: str | None = None
    resamples: int = 200
    directory: str = "runs/comparison"
    title: str = "comparison"

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        if not self.models or not all(
            isinstance(model, Mapping) and "name" in model
            for model in self.models
        ):
            raise ValueError(
                "a comparison needs at least one [[models]] section, each "
                f"with a `name`. Received: {list(self.models)!r}."
            )
        check_types(self, "comparison")
        for model in self.models:
            label = model.get("label", "name")
            if (
                not isinstance(label, str)
                or not label.isprintable()
                or not label
                or label != label.strip()
            ):
                raise ValueError(
                    "the `label` of a model must be a text of one line, not "
                    "empty, without blanks around it. "
                    f"Received: label={label!r}."
                )
            self._experiment(model)  # checks names and arguments
        labels = [*self.labels, *self.evaluation.baselines]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(
                    f"two models are called {label!r}. Give each a `label` "
                    "of its own."
                )
        if "shared_bottom" in self.evaluation.baselines:
            raise ValueError(
                "[evaluation] baselines of a comparison are those that are "
                "not deep. List SharedBottom under [[models]]."
            )
        if self.reference is not None and self.reference not in labels:
            raise ValueError(nearest_name(self.reference, labels, "reference"))
        if not re.fullmatch(r"[\w-]+", self.title):
            raise ValueError(
                "`title` names files: it may hold letters, digits, '_' and "
                f"'-'. Received: title={self.title!r}."
            )
        if self.resamples < 1:
            raise ValueError(
                "`resamples` must be at least 1. "
                f"Received: resamples={self.resamples}."
            )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ComparisonSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        fields = [field.name for field in dataclasses.fields(cls)]
        check_keys(config, fields, "section")
        values = dict(config)
        search = read_section(
            SearchSettings, values.pop("search", {}), "search"
        )
        models = values.pop("models", ())
        if not isinstance(models, (list, tuple)):
            raise ValueError(
                "models are listed one by one, each as [[models]]. "
                f"Received: {models!r}."
            )
        shared = ("data", "training", "evaluation")
        sections = ExperimentSettings.from_dict(
            {name: values.pop(name) for name in shared if name in values}
        )
        return cls(
            models=tuple(models),
            search=search,
            **{name: getattr(sections, name) for name in shared},
            **values,
        )

    @property
    def labels(self) -> list[str]:
        """What the tables call the models."""
        return [str(m.get("label", m["name"])) for m in self.models]

    def ablate(self, label: str) -> "ComparisonSettings":
        """Returns the settings that take one of the models apart.

        The model as it is stands first and is the reference; behind it come
        those of `keras_infnet.experiments.ablations`, with the recipe, the
        search and the seeds of these settings, each searched as the whole
        one is. Runs are kept in the same directory, so that those of the
        whole model are not done twice; results get a title of their own.

        Args:
            label: string. Of one of the models.

        Returns:
            `ComparisonSettings`, without baselines.

        Raises:
            ValueError: If the label is not known, or the model has no
                ablations.

        Example:

        >>> settings = ComparisonSettings.from_dict({
        ...     "data": {"dataset": "synthetic"},
        ...     "models": [{"name": "DCNv2"}, {"name": "InterFormer"}],
        ... })
        >>> settings.ablate("InterFormer").labels[:2]
        ['InterFormer', 'events read fields only']
        """
        if label not in self.labels:
            raise ValueError(
                nearest_name(label, self.labels, "model to ablate")
            )
        whole = self.models[self.labels.index(label)]
        arms = [
            {**whole, **changes, "label": arm}
            for arm, changes in ablations(whole).items()
        ]
        return dataclasses.replace(
            self,
            models=(whole, *arms),
            evaluation=dataclasses.replace(self.evaluation, baselines=()),
            reference=label,
            title="ablations_" + re.sub(r"\W+", "_", label),
        )

    def experiment(
        self, label: str, changes: Mapping[str, float]
    ) -> ExperimentSettings:
        """Returns the settings of one model.

        Args:
            label: string. Of the model.
            changes: what a trial changes in the recipe.

        Returns:
            `ExperimentSettings`.
        """
        model = self.models[self.labels.index(label)]
        return self._experiment(model, changes)

    def _experiment(
        self, model: Mapping[str, Any], changes: Mapping[str, float] = {}
    ) -> ExperimentSettings:
        arguments = {k: v for k, v in model.items() if k != "label"}
        training = self.training
        for name, value in changes.items():
            training = dataclasses.replace(training, **{name: value})  # type: ignore[arg-type]
        return ExperimentSettings(
            self.data, arguments, training, self.evaluation
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        config = dataclasses.asdict(self)
        config["models"] = [dict(model) for model in self.models]
        return config
