"""Settings of a comparison of models."""

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
    check_values,
    read_section,
)
from keras_infnet.schema.value_checks import check_choice, check_unique

__all__ = ["ComparisonSettings", "SearchSettings"]


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """A small random search, identical for every model.

    The first trial uses the recipe unchanged. Every other trial draws its
    values from log-uniform distributions between the bounds. Each model is
    then trained with the recipe of its trial with the best mean AUC on the
    validation rows. All models share the same draws.

    Args:
        trials: integer. Trials per model; `1` disables the search. Defaults to
            `1`.
        seed: integer. Seed of the draws. Defaults to `0`.
        learning_rate: two floats. Bounds. Defaults to `(0.0005, 0.004)`.
        embedding_learning_rate: two floats. Bounds. Defaults to `(0.02, 0.2)`.
        weight_decay: two floats. Bounds. Defaults to `(0.000001, 0.01)`.

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
        check_values(self, "search", trials=1, seed=0)
        for name in self.ranges:
            bounds = getattr(self, name)
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
        """Returns the values of each trial that replace those of the recipe."""
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
            or the import path of your own class, `preset` (optional),
            constructor arguments, and `label`, its name in the tables
            (defaults to the class name).
        training: `TrainingSettings`, the recipe of all models. Defaults to
            `TrainingSettings()`.
        search: `SearchSettings`. Defaults to `SearchSettings()`.
        evaluation: `EvaluationSettings`. Its baselines are listed in the
            tables too. Defaults to `EvaluationSettings()`.
        reference: string or `None`. Label of the model that the others are
            tested against; `None` selects the first. Defaults to `None`.
        resamples: integer. Bootstrap resamples of users per interval. Defaults
            to `200`.
        directory: string. Directory of finished runs and results. Defaults
            to `"runs/comparison"`.
        title: string. Base name of the result files. Defaults to
            `"comparison"`.

    Raises:
        ValueError: If a model, label or argument is unknown.

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
        models: Any = self.models
        if (
            not isinstance(models, (list, tuple))
            or not models
            or not all(isinstance(m, Mapping) and "name" in m for m in models)
        ):
            raise ValueError(
                "a comparison needs a list of models, [[models]], each with a "
                f"`name`. Received: models={models!r}."
            )
        check_values(self, "", resamples=1)
        for model in self.models:
            label = model.get("label", "name")
            if (
                not isinstance(label, str)
                or not label.isprintable()
                or not label
                or label != label.strip()
            ):
                raise ValueError(
                    "the `label` of a model must be one line of text without "
                    f"surrounding spaces. Received: label={label!r}."
                )
            self._experiment(model)  # checks names and arguments
        labels = [*self.labels, *self.evaluation.baselines]
        check_unique(labels, "models and baselines (`label`)")
        if "shared_bottom" in self.evaluation.baselines:
            raise ValueError(
                "[evaluation] baselines of a comparison cannot include "
                "'shared_bottom'. List SharedBottom under [[models]]."
            )
        if self.reference is not None:
            check_choice(self.reference, tuple(labels), "reference")
        if not re.fullmatch(r"[\w-]+", self.title):
            raise ValueError(
                "`title` is part of file names: use letters, digits, '_' and "
                f"'-'. Received: title={self.title!r}."
            )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ComparisonSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        fields = [field.name for field in dataclasses.fields(cls)]
        check_keys(config, fields, "section")
        values: dict[str, Any] = {"models": (), **config}
        shared = ("data", "training", "evaluation")
        sections = ExperimentSettings.from_dict(
            {name: values[name] for name in shared if name in values}
        )
        values |= {name: getattr(sections, name) for name in shared}
        search = values.get("search", {})
        values["search"] = read_section(SearchSettings, search, "search")
        return cls(**values)

    @property
    def labels(self) -> list[str]:
        """Labels of the models in the tables."""
        return [str(m.get("label", m["name"])) for m in self.models]

    def ablate(self, label: str) -> "ComparisonSettings":
        """Returns the settings of an ablation study of one of the models.

        The unchanged model comes first and is the reference, followed by the
        variants of `keras_infnet.experiments.ablations`. Recipe, search and
        seeds are those of these settings. Runs are kept in the same directory,
        so runs of the unchanged model are reused; results get their own title.

        Args:
            label: string. Label of one of the models.

        Returns:
            `ComparisonSettings`, without baselines.

        Raises:
            ValueError: If the label is unknown or the model has no ablations.

        Example:

        >>> settings = ComparisonSettings.from_dict({
        ...     "data": {"dataset": "synthetic"},
        ...     "models": [{"name": "DCNv2"}, {"name": "InterFormer"}],
        ... })
        >>> settings.ablate("InterFormer").labels[:2]
        ['InterFormer', 'events read fields only']
        """
        check_choice(label, tuple(self.labels), "model to ablate")
        whole = self.models[self.labels.index(label)]
        variants = [
            {**whole, **changes, "label": variant}
            for variant, changes in ablations(whole).items()
        ]
        return dataclasses.replace(
            self,
            models=(whole, *variants),
            evaluation=dataclasses.replace(self.evaluation, baselines=()),
            reference=label,
            title="ablations_" + re.sub(r"\W+", "_", label),
        )

    def experiment(
        self, label: str, changes: Mapping[str, float]
    ) -> ExperimentSettings:
        """Returns the settings of one model.

        Args:
            label: string. Label of the model.
            changes: dict. Values of a trial that replace those of the recipe.

        Returns:
            `ExperimentSettings`.
        """
        model = self.models[self.labels.index(label)]
        return self._experiment(model, changes)

    def _experiment(
        self, model: Mapping[str, Any], changes: Mapping[str, float] = {}
    ) -> ExperimentSettings:
        arguments = {k: v for k, v in model.items() if k != "label"}
        training = dataclasses.replace(self.training, **changes)  # type: ignore[arg-type]
        return ExperimentSettings(
            self.data, arguments, training, self.evaluation
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        config = dataclasses.asdict(self)
        config["models"] = [dict(model) for model in self.models]
        return config
