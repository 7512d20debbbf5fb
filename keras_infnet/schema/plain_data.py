"""Conversion of schemas to and from plain data for JSON."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from keras_infnet.schema.behavior import Behavior
from keras_infnet.schema.fields import Categorical, Field, Numeric
from keras_infnet.schema.task import Task
from keras_infnet.schema.value_checks import nearest_name

if TYPE_CHECKING:
    from keras_infnet.schema.schema import Schema

__all__ = ["arguments_from_plain", "to_plain"]


def to_plain(schema: "Schema") -> dict[str, Any]:
    """Returns a schema as plain data."""
    return {
        "fields": [_part_to_dict(part) for part in schema.fields],
        "behaviors": [
            {
                **dataclasses.asdict(behavior),
                "attributes": [
                    a if isinstance(a, str) else _part_to_dict(a)
                    for a in behavior.attributes
                ],
            }
            for behavior in schema.behaviors
        ],
        "tasks": [dataclasses.asdict(task) for task in schema.tasks],
        "group": schema.group,
        "scenario": schema.scenario,
        "request_time": schema.request_time,
        "time_unit": schema.time_unit,
        # Absent from files of earlier versions.
        **({"candidates": [*schema.candidates]} if schema.candidates else {}),
        "table_sizes": dict(schema.table_sizes),
        **({"fingerprint": schema.fingerprint} if schema.fingerprint else {}),
    }


def arguments_from_plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `Schema` from plain data."""
    config = _mapping(config, "schema")
    known = (
        "fields",
        "behaviors",
        "tasks",
        "group",
        "scenario",
        "request_time",
        "time_unit",
        "candidates",
        "table_sizes",
        "fingerprint",
    )
    for key in config:
        if key not in known:
            raise ValueError(nearest_name(key, known, "schema key"))
    for key in ("fields", "tasks"):
        if key not in config:
            raise ValueError(f"the schema has no {key!r}.")
    behaviors = []
    for entry in _list(config.get("behaviors") or (), "behaviors"):
        entry = dict(_mapping(entry, "behavior"))
        if "attributes" in entry:
            entry["attributes"] = [
                a if isinstance(a, str) else _part_from_dict(a)
                for a in _list(entry["attributes"], "attributes")
            ]
        behaviors.append(_construct(Behavior, entry))
    fields = _list(config["fields"], "fields")
    tasks = _list(config["tasks"], "tasks")
    return {
        "fields": [_part_from_dict(entry) for entry in fields],
        "behaviors": behaviors,
        "tasks": [_construct(Task, entry) for entry in tasks],
        **{
            key: config[key] for key in known[3:] if config.get(key) is not None
        },
    }


def _part_to_dict(part: Field) -> dict[str, Any]:
    return {"kind": type(part).__name__.lower(), **dataclasses.asdict(part)}


def _part_from_dict(entry: Any) -> Field:
    entry = dict(_mapping(entry, "field"))
    kind = entry.pop("kind", None)
    classes = {"categorical": Categorical, "numeric": Numeric}
    if kind not in classes:
        raise ValueError(nearest_name(kind, classes, "kind of field"))
    return _construct(classes[kind], entry)


def _construct(cls: Any, entry: Any) -> Any:
    entry = _mapping(entry, cls.__name__)
    known = [f.name for f in dataclasses.fields(cls)]
    for key in entry:
        if key not in known:
            raise ValueError(
                nearest_name(key, known, f"argument of {cls.__name__}")
            )
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.name not in entry:
            raise ValueError(
                f"{cls.__name__} needs {field.name!r}. Received: {dict(entry)}."
            )
    return cls(**entry)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(
            f"a {what} must be a mapping of names to values. "
            f"Received: {value!r}."
        )
    return value


def _list(value: Any, what: str) -> Iterable[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise ValueError(f"{what} must be a list. Received: {value!r}.")
    return value
