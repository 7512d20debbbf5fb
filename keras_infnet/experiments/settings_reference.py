"""Every key of the settings files of `train`, `compare` and `sweep`.

The texts are those of the docstrings, so that commented settings files and
the reference in the documentation agree with the code.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from keras_infnet.experiments.comparison.settings import (
    ComparisonSettings,
    SearchSettings,
)
from keras_infnet.experiments.settings import (
    DataSettings,
    EvaluationSettings,
    ExperimentSettings,
    TrainingSettings,
)
from keras_infnet.experiments.source_signatures import (
    argument_texts,
    class_signature,
    function_signature,
)
from keras_infnet.experiments.tuning.search_space import default_space
from keras_infnet.experiments.tuning.settings import SweepSettings

__all__ = ["SettingsKey", "SettingsSection", "settings_reference"]

_TYPE = re.compile(
    r"(?:(?:boolean|float|integer|list|mapping|number|path|sequence|string|two)"
    r"\b|`)[^.]*?(?:\.(?:\s|$))"
)
_MODEL_KEYS = {
    "name": "string. Class in `keras_infnet.models`, or the import path of "
    'your own, such as `"my_package.my_module:MyNet"`.',
    "preset": "string or `None`. Named size: {presets}; the other keys "
    "replace its values.",
}
_LABEL = "string. Name in the tables. Defaults to the name of the class."


@dataclasses.dataclass(frozen=True)
class SettingsKey:
    """One key; `default` is TOML, or `None` for keys left out by default."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclasses.dataclass(frozen=True)
class SettingsSection:
    """One table; its `heading` is empty for the keys at the top of the file."""

    heading: str
    meaning: str
    keys: tuple[SettingsKey, ...]


def settings_reference(
    command: str = "train", model: str = "INFNet", dataset: str = "synthetic"
) -> list[SettingsSection]:
    """Lists all sections and keys that a command reads.

    Args:
        command: `"train"`, `"compare"` or `"sweep"`. Defaults to `"train"`.
        model: string. Model of this package whose arguments are listed.
            Defaults to `"INFNet"`.
        dataset: string. Data set whose options are listed. Defaults to
            `"synthetic"`.

    Returns:
        List of `SettingsSection`.

    Example:

    >>> for section in settings_reference("sweep"):
    ...     print(section.heading, [key.name for key in section.keys][:2])
     ['directory']
    [data] ['dataset', 'schema']
    [data.options] ['num_users', 'num_items']
    [model] ['name', 'preset']
    [training] ['batch_size', 'epochs']
    [training.flow_search] ['epochs', 'final_temperature']
    [evaluation] ['baselines', 'batch_size']
    [sweep] ['trials', 'tuner']
    [sweep.space] ['training.learning_rate', 'training.embedding_learning_rate']
    """
    options = function_signature(f"data.datasets.{dataset}", "load")
    search = class_signature("training", "FlowSearch")
    compare = command == "compare"
    sections = [
        _section("data", DataSettings, left_out="options"),
        SettingsSection(
            "[data.options]",
            f"Options of the data set, here {dataset!r}.",
            _keys(options.texts, options.defaults),
        ),
        _model_section(model, "[[models]]" if compare else "[model]"),
        _section("training", TrainingSettings, left_out="flow_search"),
        SettingsSection(
            "[training.flow_search]",
            "First stage of AutoIFS: arguments of `FlowSearch`.",
            _keys(search.texts, search.defaults),
        ),
        _section("evaluation", EvaluationSettings),
    ]
    if compare:
        sections.insert(-1, _section("search", SearchSettings))
    if command == "sweep":
        space = {
            path: f"{{ low = {found.low}, high = {found.high}, "
            f'scale = "{found.scale}" }}'
            for path, found in default_space().items()
        }
        sections += [
            dataclasses.replace(
                _section("sweep", SweepSettings, left_out="experiment space"),
                meaning="Trials of the sweep.",
            ),
            SettingsSection(
                "[sweep.space]",
                "Ranges of keys of [training] and [model]: `low`, `high` and "
                "`scale`, or a list of `values`.",
                tuple(SettingsKey(p, "range", v, "") for p, v in space.items()),
            ),
        ]
    cls = ComparisonSettings if compare else ExperimentSettings
    names = " ".join(section.heading.strip("[]") for section in sections)
    changed = {"directory": "runs/sweep"} if command == "sweep" else {}
    top = _section("", cls, left_out=names, **changed)
    return [dataclasses.replace(top, heading="", meaning=""), *sections]


def _section(
    name: str, cls: Any, left_out: str = "", **changed: str
) -> SettingsSection:
    """Describes a dataclass of settings, with some other defaults."""
    texts = argument_texts(cls.__doc__)
    defaults = {
        field.name: field.default_factory()
        if callable(field.default_factory)
        else field.default
        for field in dataclasses.fields(cls)
        if field.name not in left_out.split()
    } | changed
    texts = {key: texts[key] for key in defaults}
    meaning = cls.__doc__.splitlines()[0]
    return SettingsSection(f"[{name}]", meaning, _keys(texts, defaults))


def _model_section(model: str, heading: str) -> SettingsSection:
    found = class_signature("models", model)
    presets = ", ".join(f'`"{name}"`' for name in found.presets)
    texts = {k: v.format(presets=presets) for k, v in _MODEL_KEYS.items()}
    if heading == "[[models]]":
        texts["label"] = _LABEL
    # A file cannot hold `tower`, which is a function.
    names = [name for name in found.arguments if name != "tower"]
    texts |= {name: found.texts[name] for name in names}
    return SettingsSection(
        heading,
        f"Arguments of the model, here {model!r}.",
        _keys(texts, {"name": model, **found.defaults}),
    )


def _keys(
    texts: Mapping[str, str], defaults: Mapping[str, Any]
) -> tuple[SettingsKey, ...]:
    keys = []
    for name, text in texts.items():
        text = re.sub(r"\s*Defaults to .*$", "", text)
        kind = _TYPE.match(text)
        default = defaults.get(name)
        known = default is not None and default is not dataclasses.MISSING
        if kind is None:  # a description alone
            words, text = type(default).__name__, text[0].upper() + text[1:]
            words = {"str": "string", "NoneType": "`None`"}.get(words, words)
        else:
            words, text = kind[0].strip().rstrip("."), text[kind.end() :]
        value = json.dumps(default) if known else None
        keys.append(SettingsKey(name, words, value, text))
    return tuple(keys)
