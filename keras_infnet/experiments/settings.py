"""The settings of an experiment, as plain data."""

import dataclasses
import inspect
import json
import os
import pathlib
import tomllib
import typing
from collections.abc import Mapping
from typing import Any

from keras_infnet.data import datasets
from keras_infnet.models.find_model import find_model
from keras_infnet.schema import nearest_name
from keras_infnet.training import FlowSearch
from keras_infnet.training.compilation import EMBEDDING_OPTIMIZERS
from keras_infnet.utils.argument_checks import fits, in_words

__all__ = [
    "DataSettings",
    "EvaluationSettings",
    "ExperimentSettings",
    "TrainingSettings",
    "check_keys",
    "check_types",
    "load_settings",
    "read_section",
]

_BASELINES = ("logistic_regression", "gradient_boosting", "shared_bottom")


def read_section(cls: type[Any], section: Any, name: str) -> Any:
    """Builds the settings of one section of a file."""
    if not isinstance(section, Mapping):
        raise ValueError(
            f"[{name}] must be a table of settings. Received: {section!r}."
        )
    known = [field.name for field in dataclasses.fields(cls)]
    check_keys(section, known, f"key of [{name}]")
    return cls(**section)


def check_types(section: Any, name: str) -> None:
    """Checks the values of a dataclass by its annotations."""
    for key, hint in typing.get_type_hints(type(section)).items():
        value = getattr(section, key)
        if not fits(value, hint):
            raise ValueError(
                f"[{name}] {key} must be {in_words(hint)}. Received: {value!r}."
            )


def check_keys(received: Any, known: Any, what: str) -> None:
    """Raises for the first unknown key, naming the nearest known one."""
    for key in received:
        if key not in known:
            raise ValueError(nearest_name(key, known, what))


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Where the rows come from: a data set by name, or a user's own tables.

    Args:
        dataset: string or `None`. Name of a data set in
            `keras_infnet.data.datasets`. Defaults to `None`.
        options: mapping. Arguments of the data set's `load`. Defaults to
            `{}`.
        schema: string or `None`. JSON file of the schema of the tables.
            Defaults to `None`.
        train: string, list of strings or `None`. Tables to learn from.
            Defaults to `None`.
        validation: string, list of strings or `None`. Tables by which the
            best weights are chosen. Defaults to `None`.
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
        check_types(self, "data")
        if self.dataset is None:
            for name in ("schema", "train"):
                if getattr(self, name) is None:
                    raise ValueError(
                        f"[data] needs `dataset`, or `schema` and `train`. "
                        f"Missing: {name}."
                    )
            if self.options:
                raise ValueError(
                    "[data.options] are the arguments of a data set. Name it "
                    "with `dataset`."
                )
            return
        own = ("schema", "train", "validation", "test")
        for name in own:
            if getattr(self, name) is not None:
                raise ValueError(
                    f"[data] cannot have both `dataset` and `{name}`: a data "
                    "set brings its own tables."
                )
        if self.dataset not in datasets.__all__ or self.dataset == "Dataset":
            known = [n for n in datasets.__all__ if n != "Dataset"]
            raise ValueError(nearest_name(self.dataset, known, "dataset"))
        load = getattr(datasets, self.dataset).load
        check_keys(self.options, inspect.signature(load).parameters, "option")


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    Args:
        batch_size: integer. Defaults to `512`.
        epochs: integer. Defaults to `1`.
        seeds: sequence of integers. One run a seed. Defaults to `(0,)`.
        learning_rate: float. Of AdamW, dense weights. Defaults to `0.001`.
        embedding_learning_rate: float. Of embeddings. Defaults to
            `0.05`.
        weight_decay: float. Of AdamW. Defaults to `0.0001`.
        warmup_steps: integer. Defaults to `0`.
        decay_steps: integer or `None`. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights. Defaults
            to `None`.
        global_clipnorm: float or `None`. Defaults to `None`.
        embedding_optimizer: `"adagrad"`, `"rowwise_adagrad"` or
            `"lazy_adam"`. Defaults to `"adagrad"`.
        patience: integer or `None`. Validations without a better mean AUC
            before training stops. Defaults to `None`.
        save_every: integer or `None`. Steps between two states of an
            unfinished run, beside one an epoch. Defaults to `None`.
        dtype_policy: string. `"float32"`, `"mixed_bfloat16"` or
            `"mixed_float16"`. Defaults to `"float32"`.
        tensorboard: boolean. Whether to write TensorBoard logs. Defaults to
            `False`.
        flow_search: mapping. Arguments of
            `keras_infnet.training.FlowSearch`, for AutoIFS: `epochs`,
            `final_temperature`, `rewind_epoch`, `gate_ratio`. The other
            settings are those of both its stages. Defaults to `{}`.

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
        check_types(self, "training")
        object.__setattr__(self, "seeds", tuple(self.seeds))
        for name in ("batch_size", "epochs", "patience", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(
                    f"[training] {name} must be a positive integer. "
                    f"Received: {value!r}."
                )
        if (
            not self.seeds
            or min(self.seeds) < 0
            or max(self.seeds) >= 2**32
            or len(set(self.seeds)) < len(self.seeds)
        ):
            raise ValueError(
                "[training] seeds must be a list of different integers from "
                f"0 to 2**32 - 1. Received: {list(self.seeds)!r}."
            )
        for name, known in (
            ("dtype_policy", ("float32", "mixed_bfloat16", "mixed_float16")),
            ("embedding_optimizer", EMBEDDING_OPTIMIZERS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(nearest_name(value, known, name))
        arguments = list(inspect.signature(FlowSearch).parameters)
        check_keys(self.flow_search, arguments, "key of [training.flow_search]")
        FlowSearch(**self.flow_search)  # checks the numbers


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """What stands beside the model in the report.

    Args:
        baselines: sequence of `"logistic_regression"`,
            `"gradient_boosting"` and `"shared_bottom"`. Defaults to `()`.
        batch_size: integer. Rows predicted at once. Defaults to `4096`.

    Raises:
        ValueError: If a baseline is not known.
    """

    baselines: tuple[str, ...] = ()
    batch_size: int = 4096

    def __post_init__(self) -> None:
        check_types(self, "evaluation")
        object.__setattr__(self, "baselines", tuple(self.baselines))
        if self.batch_size < 1:
            raise ValueError(
                "[evaluation] batch_size must be a positive integer. "
                f"Received: {self.batch_size!r}."
            )
        for name in self.baselines:
            if name not in _BASELINES:
                raise ValueError(nearest_name(name, _BASELINES, "baseline"))


@dataclasses.dataclass(frozen=True)
class ExperimentSettings:
    """All settings of an experiment.

    Args:
        data: `DataSettings`.
        model: mapping. `name` of a class in `keras_infnet.models` (default
            `"INFNet"`) or the import path of your own, such as
            `"my_package.my_module:MyNet"`; `preset` (optional) and
            constructor arguments. Defaults to `{}`.
        training: `TrainingSettings`. Defaults to `TrainingSettings()`.
        evaluation: `EvaluationSettings`. Defaults to `EvaluationSettings()`.
        directory: string. Where the trained model goes. Defaults to
            `"runs/model"`.

    Raises:
        ValueError: If a model, preset or argument is not known.

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
        check_types(self, "settings")
        cls = self.model_class
        preset = self.model.get("preset")
        if not isinstance(preset, str | None):
            raise ValueError(
                f"`preset` must be a text. Received: preset={preset!r}."
            )
        if preset is not None and preset not in cls.presets:
            raise ValueError(nearest_name(preset, cls.presets, "preset"))
        known = set(inspect.signature(cls.__init__).parameters)
        known = known - {"self", "schema", "kwargs"} | {"name", "preset"}
        check_keys(self.model, known, "key of [model]")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ExperimentSettings":
        """Builds settings from plain data, rejecting unknown keys."""
        fields = [field.name for field in dataclasses.fields(cls)]
        check_keys(config, fields, "section")
        if "data" not in config:
            raise ValueError("the settings have no [data] section.")
        values = dict(config)
        for name, section in (
            ("data", DataSettings),
            ("training", TrainingSettings),
            ("evaluation", EvaluationSettings),
        ):
            if name in config:
                values[name] = read_section(section, config[name], name)
        return cls(**values)

    @property
    def model_class(self) -> Any:
        """The class that `name` stands for."""
        return find_model(self.model.get("name", "INFNet"))

    @property
    def spelled_out_model(self) -> dict[str, Any]:
        """The model with what its preset stands for in place of its name.

        Presets may change: what is kept of a model is found by this.
        """
        model = {"name": "INFNet", **self.model}
        presets = self.model_class.presets
        return {**presets.get(model.pop("preset", None), {}), **model}

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        config = dataclasses.asdict(self)
        config["model"] = dict(self.model)
        return config


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
