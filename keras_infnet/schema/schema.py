"""Schema: the meaning of the columns of a table."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from keras_infnet.schema.behavior import Behavior, SchemaColumn
from keras_infnet.schema.fields import (
    Field,
    InputSpec,
    raw_dtype,
    values_axis,
)
from keras_infnet.schema.plain_data import arguments_from_plain, to_plain
from keras_infnet.schema.task import Task
from keras_infnet.schema.validation import MILLISECONDS, validate
from keras_infnet.schema.value_checks import names_in, nearest_name
from keras_infnet.utils.atomic_files import write_text

__all__ = ["GAP_BUCKETS", "Schema"]

#: Number of buckets of a relative time gap; id 0 is "time unknown".
GAP_BUCKETS = 32


class Schema:
    """Fields, behaviors and tasks of a table of impressions.

    Args:
        fields: list of `Categorical` and `Numeric`. Fields of the user, the
            candidate item and the context.
        tasks: list of `Task`.
        behaviors: list of `Behavior`. Defaults to `()`.
        group: string or `None`. Column of the user, by which ranking within
            a user is measured. Defaults to `None`.
        scenario: string or `None`. Name of the single-valued `Categorical`
            that holds the scenario. Defaults to `None`.
        request_time: string or `None`. Column of the time of the request, an
            integer. Needed by timed behaviors. Defaults to `None`.
        time_unit: `"s"`, `"ms"`, `"us"` or `"ns"`, the unit of all times.
            Defaults to `"ms"`.
        candidates: list of names of the fields that describe the candidate
            item. All other fields and the behaviors are shared by the
            candidates of a ranking request. It does not affect training.
            Defaults to `()`.
        table_sizes: mapping of table name to rows, row 0 included. Set by
            `keras_infnet.data.Encoder`; pass it only for data that is already
            encoded. Defaults to `None`.
        fingerprint: string or `None`. `Encoder.fingerprint` of the encoder of
            the ids; `None` if unknown. It is ignored when schemas are
            compared. Defaults to `None`.

    Raises:
        ValueError: If names are unknown, ambiguous or inconsistent.

    Example:

    >>> from keras_infnet.schema import Categorical, Numeric
    >>> schema = Schema(
    ...     fields=[Categorical("item_id"), Numeric("price")],
    ...     behaviors=[Behavior("click", ["item_id"], max_length=20)],
    ...     tasks=[Task("buy")],
    ... )
    >>> sorted(schema.inputs)
    ['click_item_id', 'click_mask', 'item_id', 'price']
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    def __init__(
        self,
        fields: Iterable[Field],
        tasks: Iterable[Task],
        behaviors: Iterable[Behavior] = (),
        group: str | None = None,
        scenario: str | None = None,
        request_time: str | None = None,
        time_unit: str = "ms",
        candidates: Iterable[str] = (),
        table_sizes: Mapping[str, int] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.tasks = tuple(tasks)
        self.behaviors = tuple(behaviors)
        self.group = group
        self.scenario = scenario
        self.request_time = request_time
        self.time_unit = time_unit
        self.candidates = names_in(candidates, "candidates")
        self.table_sizes = dict(table_sizes or {})
        self.fingerprint = fingerprint
        validate(self)

    # ---------------------------------------------------------------- names

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks, in order."""
        return tuple(task.name for task in self.tasks)

    @property
    def milliseconds(self) -> float:
        """Milliseconds of one unit of time."""
        return MILLISECONDS[self.time_unit]

    def field(self, name: str) -> Field:
        """Returns the field called `name`."""
        return self._find(self.fields, name, "field")

    def behavior(self, name: str) -> Behavior:
        """Returns the behavior called `name`."""
        return self._find(self.behaviors, name, "behavior")

    def task(self, name: str) -> Task:
        """Returns the task called `name`."""
        return self._find(self.tasks, name, "task")

    def attributes(self, behavior: Behavior | str) -> tuple[Field, ...]:
        """Returns the attributes of a behavior, field names resolved."""
        if isinstance(behavior, str):
            behavior = self.behavior(behavior)
        return tuple(
            self.field(a) if isinstance(a, str) else a
            for a in behavior.attributes
        )

    def columns(self) -> tuple[SchemaColumn, ...]:
        """Returns all fields and attributes with the names of their columns.

        Attributes follow the fields. Columns under these names hold raw
        values in a table and ids in the inputs of a model. The names of
        times, masks and gaps are those of `Behavior` and `request_time`.

        Example:

        >>> from keras_infnet.schema import Categorical
        >>> schema = Schema(
        ...     [Categorical("item")],
        ...     [Task("click")],
        ...     [Behavior("seen", ["item"])],
        ... )
        >>> [column.name for column in schema.columns()]
        ['item', 'seen_item']
        """
        fields = [SchemaColumn(part.name, part, None) for part in self.fields]
        attributes = [
            SchemaColumn(behavior.column(part), part, behavior)
            for behavior in self.behaviors
            for part in self.attributes(behavior)
        ]
        return (*fields, *attributes)

    # --------------------------------------------------------------- tables

    @property
    def tables(self) -> dict[str, tuple[Field, ...]]:
        """Embedding tables, with the fields and attributes of each."""
        tables: dict[str, list[Field]] = {}
        for _, part, _ in self.columns():
            readers = tables.setdefault(part.table_name, [])
            if part not in readers:
                readers.append(part)
        return {name: tuple(parts) for name, parts in tables.items()}

    @property
    def is_fitted(self) -> bool:
        """Whether the size of every table is known."""
        return all(
            name in self.table_sizes or parts[0].fixed_size is not None
            for name, parts in self.tables.items()
        )

    def table_size(self, name: str) -> int:
        """Returns the rows of a table, row 0 included."""
        tables = self.tables
        if name not in tables:
            raise ValueError(nearest_name(name, tables, "table"))
        size = self.table_sizes.get(name, tables[name][0].fixed_size)
        if size is None:
            raise ValueError(
                f"the size of table {name!r} is not known yet. Fit "
                "`keras_infnet.data.Encoder(schema)` on the training part and "
                "use `encoder.schema`, or give `table_sizes`."
            )
        return size

    def with_candidates(self, names: Iterable[str]) -> "Schema":
        """Returns a copy with other `candidates`."""
        return Schema.from_dict({**self.to_dict(), "candidates": list(names)})

    def with_table_sizes(
        self, sizes: Mapping[str, int], fingerprint: str | None = None
    ) -> "Schema":
        """Returns a copy with table sizes and fingerprint."""
        config = self.to_dict()
        config["table_sizes"] = {**self.table_sizes, **sizes}
        config["fingerprint"] = fingerprint
        return Schema.from_dict(config)

    # --------------------------------------------------------------- inputs

    @property
    def inputs(self) -> dict[str, InputSpec]:
        """Inputs of a model: encoded ids, masks, gap buckets."""
        specs: dict[str, InputSpec] = {}
        for part in self.fields:
            specs[part.name] = InputSpec(values_axis(part), "int32")
        for behavior in self.behaviors:
            for part in self.attributes(behavior):
                specs[behavior.column(part)] = InputSpec(
                    (None, *values_axis(part)), "int32"
                )
            specs[behavior.mask_input] = InputSpec((None,), "bool")
            if behavior.timed:
                specs[behavior.gap_input] = InputSpec((None,), "int32")
        return specs

    @property
    def raw_inputs(self) -> dict[str, InputSpec]:
        """Raw columns that a prediction needs, lists padded at the end.

        Missing values are `-1` for integers, `""` for strings and NaN for
        floats. An event whose attributes are all missing is padding.
        """
        specs: dict[str, InputSpec] = {}
        for part in self.fields:
            axis = (None,) if values_axis(part) else ()
            specs[part.name] = InputSpec(axis, raw_dtype(part))
        for behavior in self.behaviors:
            for part in self.attributes(behavior):
                axis = (None,) if values_axis(part) else ()
                specs[behavior.column(part)] = InputSpec(
                    (None, *axis), raw_dtype(part)
                )
            if behavior.timed:
                specs[behavior.time_column] = InputSpec((None,), "int64")
        if self.request_time is not None and self.is_timed:
            specs[self.request_time] = InputSpec((), "int64")
        return specs

    @property
    def shared_inputs(self) -> tuple[str, ...]:
        """Names of `inputs` that are shared by the candidates of a request."""
        return tuple(n for n in self.inputs if n not in self.candidates)

    @property
    def is_timed(self) -> bool:
        """Whether any behavior has event times."""
        return any(behavior.timed for behavior in self.behaviors)

    # ------------------------------------------------------------ plain data

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as JSON-ready plain data."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "Schema":
        """Builds a schema from the result of `to_dict`."""
        return cls(**arguments_from_plain(config))

    def to_json(self) -> str:
        """Returns the schema as JSON text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Reads JSON text."""
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"the schema is not valid JSON: {error}."
            ) from error
        return cls.from_dict(config)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes JSON to `path`, atomically."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Schema":
        """Reads a JSON file."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            return cls.from_json(text)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schema):
            return NotImplemented
        return self._meaning() == other._meaning()

    def __hash__(self) -> int:
        return hash(json.dumps(self._meaning()))

    def _meaning(self) -> dict[str, Any]:
        """Everything but the fingerprint."""
        return {**self.to_dict(), "fingerprint": None}

    def __repr__(self) -> str:
        return (
            f"Schema({len(self.fields)} fields, "
            f"{len(self.behaviors)} behaviors, "
            f"tasks: {', '.join(self.task_names)})"
        )

    @staticmethod
    def _find(parts: tuple[Any, ...], name: str, what: str) -> Any:
        for part in parts:
            if part.name == name:
                return part
        raise ValueError(nearest_name(name, [p.name for p in parts], what))
