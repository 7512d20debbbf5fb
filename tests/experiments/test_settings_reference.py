"""The reference of settings agrees with what the settings accept."""

import dataclasses
import inspect
import tomllib

import pytest

from keras_infnet import models, training
from keras_infnet.data import datasets
from keras_infnet.experiments import (
    ComparisonSettings,
    ExperimentSettings,
    SweepSettings,
    TrainingSettings,
)
from keras_infnet.experiments.settings_reference import settings_reference
from keras_infnet.experiments.source_signatures import (
    class_signature,
    function_signature,
)
from keras_infnet.training.compilation import EMBEDDING_OPTIMIZERS

SETTINGS = {
    "train": ExperimentSettings,
    "compare": ComparisonSettings,
    "sweep": SweepSettings,
}


def assert_same_signature(found, thing, left_out=()):
    parameters = {
        name: parameter.default
        for name, parameter in inspect.signature(thing).parameters.items()
        if name not in left_out
    }
    empty = inspect.Parameter.empty
    assert set(found.arguments) == set(parameters)
    assert {n: found.defaults.get(n, empty) for n in parameters} == parameters
    assert set(found.arguments) <= set(found.texts)


@pytest.mark.parametrize("name", models.model_names())
def test_the_source_of_a_model_gives_its_signature(name):
    found, cls = class_signature("models", name), getattr(models, name)
    assert_same_signature(found, cls, ("schema", "name", "dtype"))
    assert found.presets == tuple(cls.presets)


def test_the_source_of_data_sets_and_flow_search_gives_their_signatures():
    for name in ("kuairand", "synthetic"):
        found = function_signature(f"data.datasets.{name}", "load")
        assert_same_signature(found, getattr(datasets, name).load)
    found = class_signature("training", "FlowSearch")
    assert_same_signature(found, training.FlowSearch)


def test_all_embedding_optimizers_are_known_without_keras():
    for name in EMBEDDING_OPTIMIZERS:
        assert TrainingSettings(embedding_optimizer=name)


@pytest.mark.parametrize("command", SETTINGS)
def test_a_file_of_all_defaults_changes_nothing(command):
    sections = settings_reference(command)
    lines = []
    for section in sections:
        lines.append(section.heading)
        if section.heading == "[data]":
            lines.append('dataset = "synthetic"')
        lines += [
            f"{key.name} = {key.default}"
            for key in section.keys
            if key.default is not None
        ]
    config = tomllib.loads("\n".join(lines))
    found = SETTINGS[command].from_dict(config).to_dict()
    least = {"data": {"dataset": "synthetic"}}
    if command == "compare":
        least["models"] = [{"name": "INFNet"}]
    expected = SETTINGS[command].from_dict(least).to_dict()
    for name in ("data", "model", "models"):  # spelled out in the file
        found.pop(name, None), expected.pop(name, None)
    flow_search = found["training"].pop("flow_search")
    assert flow_search["gate_ratio"] == 0.01
    assert expected["training"].pop("flow_search") == {}
    assert found == expected


def test_every_key_of_every_section_is_listed():
    for command, cls in SETTINGS.items():
        sections = {s.heading: s for s in settings_reference(command)}
        for field in dataclasses.fields(cls):
            top = [key.name for key in sections[""].keys]
            headings = (f"[{field.name}]", f"[[{field.name}]]")
            if command != "sweep":
                assert field.name in top or sections.keys() & set(headings)
    keys = {k.name for k in sections["[sweep]"].keys} | {"experiment", "space"}
    assert keys == {field.name for field in dataclasses.fields(SweepSettings)}


def test_every_key_has_a_type_and_a_meaning():
    for command in SETTINGS:
        for section in settings_reference(command):
            for key in section.keys:
                where = f"{command} {section.heading} {key.name}"
                assert key.type, where
                # A list of choices, or what a range of a sweep is, says it.
                said = "`" in key.type or section.heading == "[sweep.space]"
                assert key.meaning or said, where
