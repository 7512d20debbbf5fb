"""Settings of an experiment."""

import dataclasses
import inspect
import json
import os
import pathlib
import tomllib
import typing
from collections.abc import Mapping
from typing import Any

from keras_infnet.experiments.source_signatures import (
    class_signature,
    function_signature,
    public_names,
    shipped_models,
)
from keras_infnet.schema import nearest_name
from keras_infnet.schema.value_checks import check_choice
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = [
    "DataSettings",
    "EvaluationSettings",
    "ExperimentSettings",
    "TrainingSettings",
    "check_keys",
    "check_values",
    "load_settings",
    "read_section",
]

_EMBEDDING_OPTIMIZERS = ("adagrad", "rowwise_adagrad", "lazy_adam")
_BASELINES = ("logistic_regression", "gradient_boosting", "shared_bottom")
_DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def read_section(cls: type[Any], section: Any, name: str, **others: Any) -> Any:
    """Builds the settings of one section of a file.

    `others` are arguments of the class that the section cannot set.
    """
    if not isinstance(section, Mapping):
        raise ValueError(
            f"[{name}] must be a table of settings. Received: {section!r}."
        )
    fields = [field.name for field in dataclasses.fields(cls)]
    known = [field for field in fields if field not in others]
    check_keys(section, known, f"key of [{name}]")
    return cls(**section, **others)


def check_values(settings: Any, section: str, **minimums: int) -> None:
    """Checks the values of a dataclass by its annotations and lower bounds.

    Lists become tuples where the annotation is a tuple. `section` is empty for
    the keys at the top of a file.
    """
    for key, hint in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, key)
        least = minimums.get(key)
        if not fits(value, hint):
            expected = in_words(hint)
        elif least is not None and value is not None and value < least:
            expected = f"at least {least}"
        else:
            if typing.get_origin(hint) is tuple:
                object.__setattr__(settings, key, tuple(value))
            continue
        path = f"[{section}] {key}" if section else f"`{key}`"
        raise ValueError(f"{path} must be {expected}. Received: {value!r}.")


def check_keys(received: Any, known: Any, what: str) -> None:
    """Raises for the first unknown key, naming the nearest known one."""
    for key in received:
        if key not in known:
            raise ValueError(nearest_name(key, known, what))


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Source of the rows: a data set by name, or your own tables.

    Args:
        dataset: string or `None`. Name of a data set in
            `keras_infnet.data.datasets`. Defaults to `None`.
        options: mapping. Arguments of the data set's `load`. Defaults to
            `{}`.
        schema: string or `None`. JSON file of the schema of the tables.
            Defaults to `None`.
        train: string, list of strings or `None`. Training tables. Defaults to
            `None`.
        validation: string, list of strings or `None`. Tables that select the
            best weights. Defaults to `None`.
        test: string, list of strings or `None`. Tables for the final
            metrics. Defaults to `None`.

    Raises:
        ValueError: If the settings contradict each other.
    """

    dataset: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schema: str | None = None
    train: Any = None
    validation: Any = None
    test: Any = None

    def __post_init__(self) -> None:
        check_values(self, "data")
        tables = ("schema", "train", "validation", "test")
        given = [name for name in tables if getattr(self, name) is not None]
        if self.dataset is None:
            missing = [n for n in ("schema", "train") if n not in given]
            if missing:
                raise ValueError(
                    "[data] needs `dataset`, or `schema` and `train`. "
                    f"Missing: {', '.join(missing)}."
                )
            if self.options:
                raise ValueError(
                    "[data.options] are arguments of a data set and need "
                    f"`dataset`. Received: options={dict(self.options)!r}."
                )
            return
        if given:
            raise ValueError(
                f"[data] cannot have both `dataset` and `{given[0]}`: a data "
                "set has its own tables."
            )
        known = [n for n in public_names("data.datasets") if n != "Dataset"]
        check_choice(self.dataset, tuple(known), "dataset")
        load = function_signature(f"data.datasets.{self.dataset}", "load")
        check_keys(self.options, load.arguments, "option")


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """Training recipe.

    Args:
        batch_size: integer. Training rows per step. Defaults to `512`.
        epochs: integer. Passes over the training rows. Defaults to `1`.
        seeds: sequence of integers. One run per seed. Defaults to `(0,)`.
        learning_rate: float. Learning rate of AdamW, which trains the dense
            weights. Defaults to `0.001`.
        embedding_learning_rate: float. Learning rate of the embedding tables.
            Defaults to `0.05`.
        weight_decay: float. Weight decay of AdamW. Defaults to `0.0001`.
        warmup_steps: integer. Steps over which learning rates rise from 0.
            Defaults to `0`.
        decay_steps: integer or `None`. Steps of a cosine decay after the
            warm-up. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights. Defaults
            to `None`.
        global_clipnorm: float or `None`. Largest norm of all gradients
            together. Defaults to `None`.
        embedding_optimizer: `"adagrad"`, `"rowwise_adagrad"` or
            `"lazy_adam"`. Defaults to `"adagrad"`.
        patience: integer or `None`. Epochs without a better validation mean
            AUC before training stops. Defaults to `None`.
        save_every: integer or `None`. Steps between two checkpoints of an
            unfinished run, besides one per epoch. Defaults to `None`.
        dtype_policy: string. `"float32"`, `"mixed_bfloat16"` or
            `"mixed_float16"`. Defaults to `"float32"`.
        tensorboard: boolean. Whether to write TensorBoard logs. Defaults to
            `False`.
        flow_search: mapping. Arguments of
            `keras_infnet.training.FlowSearch` (AutoIFS only): `epochs`,
            `final_temperature`, `rewind_epoch`, `gate_ratio`. The other
            settings apply to both stages. Defaults to `{}`.

    Raises:
        ValueError: If a number is out of range.
    """

    batch_size: int = 512
    epochs: int = 1
    seeds: tuple[int, ...] = (0,)
    learning_rate: float = 1e-3
    embedding_learning_rate: float = 0.05
    weight_decay: float = 1e-4
    warmup_steps: int = 0
    decay_steps: int | None = None
    ema_momentum: float | None = None
    global_clipnorm: float | None = None
    embedding_optimizer: str = "adagrad"
    patience: int | None = None
    save_every: int | None = None
    dtype_policy: str = "float32"
    tensorboard: bool = False
    flow_search: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_values(
            self, "training", batch_size=1, epochs=1, patience=1, save_every=1
        )
        seeds = self.seeds
        if len(set(seeds)) < max(1, len(seeds)) or not all(
            0 <= seed < 2**32 for seed in seeds
        ):
            raise ValueError(
                "[training] seeds must be a list of distinct integers from "
                f"0 to 2**32 - 1. Received: {list(seeds)!r}."
            )
        for name, choices in (
            ("dtype_policy", _DTYPE_POLICIES),
            ("embedding_optimizer", _EMBEDDING_OPTIMIZERS),
        ):
            check_choice(getattr(self, name), choices, name)
        if self.flow_search:
            known = class_signature("training", "FlowSearch").arguments
            check_keys(self.flow_search, known, "key of [training.flow_search]")

            from keras_infnet.training import FlowSearch

            FlowSearch(**self.flow_search)  # checks the numbers

    @property
    def optimizer_arguments(self) -> dict[str, Any]:
        """Arguments of `keras_infnet.training.make_optimizer`."""
        from keras_infnet.training import make_optimizer

        names = inspect.signature(make_optimizer).parameters
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """Baselines and batch size of the evaluation.

    Args:
        baselines: sequence of `"logistic_regression"`,
            `"gradient_boosting"` and `"shared_bottom"`. Models reported
            beside the trained one. Defaults to `()`.
        batch_size: integer. Rows predicted at once. Defaults to `4096`.

    Raises:
        ValueError: If a baseline is unknown.
    """

    baselines: tuple[str, ...] = ()
    batch_size: int = 4096

    def __post_init__(self) -> None:
        check_values(self, "evaluation", batch_size=1)
        check_keys(self.baselines, _BASELINES, "baseline")


@dataclasses.dataclass(frozen=True)
class ExperimentSettings:
    """All settings of an experiment.

    Args:
        data: `DataSettings`.
        model: mapping. `name` of a class in `keras_infnet.models` (default
            `"INFNet"`) or the import path of your own class, such as
            `"my_package.my_module:MyNet"`; `preset` (optional) and
            constructor arguments. Defaults to `{}`.
        training: `TrainingSettings`. Defaults to `TrainingSettings()`.
        evaluation: `EvaluationSettings`. Defaults to `EvaluationSettings()`.
        directory: string. Directory of the trained model. Defaults to
            `"runs/model"`.

    Raises:
        ValueError: If a model, preset or argument is unknown.

    Example:

    >>> settings = ExperimentSettings.from_dict({
    ...     "data": {"dataset": "synthetic"},
    ...     "model": {"preset": "small", "variant": "proxy"},
    ... })
    >>> settings.training.batch_size
    512
    >>> ExperimentSettings.from_dict({"data": {"datset": "synthetic"}})
    Traceback (most recent call last):
    ...
    ValueError: unknown key of [data] 'datset'. Did you mean 'dataset'? ...
    """

    data: DataSettings
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    directory: str = "runs/model"

    def __post_init__(self) -> None:
        check_values(self, "")
        arguments, presets = _model_signature(self.model.get("name", "INFNet"))
        preset = self.model.get("preset")
        if preset is not None:
            if not isinstance(preset, str):
                raise ValueError(
                    f"`preset` must be a string. Received: preset={preset!r}."
                )
            check_choice(preset, presets, "preset")
        check_keys(self.model, {*arguments, "name", "preset"}, "key of [model]")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ExperimentSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        fields = [field.name for field in dataclasses.fields(cls)]
        check_keys(config, fields, "section")
        if "data" not in config:
            raise ValueError("the settings need a [data] section.")
        sections = {
            "data": DataSettings,
            "training": TrainingSettings,
            "evaluation": EvaluationSettings,
        }
        values = {
            name: read_section(sections[name], value, name)
            if name in sections
            else value
            for name, value in config.items()
        }
        return cls(**values)

    @property
    def model_class(self) -> Any:
        """The class that `name` refers to."""
        from keras_infnet.models.find_model import find_model

        return find_model(self.model.get("name", "INFNet"))

    @property
    def spelled_out_model(self) -> dict[str, Any]:
        """The model with the arguments of its preset in place of its name.

        Kept runs are keyed by these arguments, since a preset may change.
        """
        model = {"name": "INFNet", **self.model}
        presets = self.model_class.presets
        return {**presets.get(model.pop("preset", None), {}), **model}

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        config = dataclasses.asdict(self)
        config["model"] = dict(self.model)
        return config


def _model_signature(name: Any) -> tuple[set[str], tuple[str, ...]]:
    """Constructor arguments and presets of a model.

    Only a user's own model is imported; those of this package are read from
    their source, which takes no backend.
    """
    known = shipped_models()
    if name in known:
        found = class_signature("models", name)
        return set(found.arguments), found.presets
    if isinstance(name, str) and ":" not in name:
        raise ValueError(
            f"{nearest_name(name, known, 'model')} A model of your own is "
            "named by its import path, such as 'my_package.my_module:MyNet'."
        )
    from keras_infnet.models.find_model import find_model

    cls: Any = find_model(name)
    arguments = set(inspect.signature(cls).parameters) - {"schema", "dtype"}
    return arguments, tuple(cls.presets)


def load_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a TOML or JSON file of settings.

    Args:
        path: path ending in `.toml` or `.json`.

    Returns:
        Plain data, for `ExperimentSettings.from_dict`.

    Raises:
        ValueError: If the file is neither TOML nor JSON, or no table.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix == ".toml":
            return tomllib.loads(path.read_text("utf-8"))
        if path.suffix == ".json":
            config = json.loads(path.read_text("utf-8"))
            if not isinstance(config, dict):
                raise ValueError(
                    f"{path} must hold a table of settings. "
                    f"Received: {type(config).__name__}."
                )
            return config
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    raise ValueError(
        f"settings must be a .toml or .json file. Received: {path}."
    )
