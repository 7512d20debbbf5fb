"""Encoder of raw tables."""

import logging
import os
import pathlib
from typing import Any

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.behaviors import (
    align_events,
    drop_padding,
    gap_column,
)
from keras_infnet.data.encoding.bins import bin_ids
from keras_infnet.data.encoding.cleaning import Place, times
from keras_infnet.data.encoding.encoder_files import (
    disagreements,
    fingerprint,
    load_arrays,
    save_arrays,
)
from keras_infnet.data.encoding.fit_vocabularies import (
    check_columns,
    cleaned,
    learn,
    learned_tables,
    raw_columns,
    text_columns,
)
from keras_infnet.data.encoding.hashing import hash_ids
from keras_infnet.data.encoding.labels import label_columns
from keras_infnet.data.encoding.nesting import arrange, map_values
from keras_infnet.data.encoding.vocabularies import VocabularyIndex
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table, as_table
from keras_infnet.schema import (
    Behavior,
    Categorical,
    Field,
    Numeric,
    Schema,
)

__all__ = ["Encoder"]

_LOGGER = logging.getLogger("keras_infnet")
_SCHEMA_FILE = "schema.json"
_ARRAYS_FILE = "vocabularies.npz"


class Encoder:
    """Encodes raw columns as the ids that a model reads.

    - `Categorical` with a vocabulary: element `i` of
      `vocabularies[table]` becomes `i + 1`; others become 0.
    - `Categorical` with `hash_buckets`: see `hash_ids`.
    - `Numeric`: 0 for NaN, else `1 + (number of boundaries[table] <= value)`.
    - Event times: see `keras_infnet.data.encoding.bins.gap_ids`.

    Vocabularies and boundaries are learned by `fit`, from the training part
    alone. Ids of a table shared by several fields are counted over all of
    them. Ids of a table that only behaviors use are counted over the events
    of all rows. Quantiles are exact for up to a million values, and computed
    from a fixed sample of a million beyond that.

    Args:
        schema: `Schema`.

    Raises:
        ValueError: If `schema` is not a `Schema`.

    Example:

    >>> from keras_infnet.schema import Behavior, Task
    >>> schema = Schema(
    ...     [Categorical("item_id"), Numeric("price", bins=2)],
    ...     [Task("click")],
    ...     [Behavior("bought", ["item_id"], max_length=2)],
    ... )
    >>> table = Table({
    ...     "item_id": [70, 50, 70, 60],
    ...     "price": [1.0, 2.0, 3.0, np.nan],
    ...     "bought_item_id": ListColumn.from_lists([[], [50, 70, 60], [], []]),
    ...     "click": [0, 1, 0, 1],
    ... })
    >>> encoder = Encoder(schema).fit(table)
    >>> encoder.vocabularies["item_id"]
    array([70, 50, 60])
    >>> encoded = encoder.encode(table)
    >>> encoded["price"]
    array([1, 2, 2, 0], dtype=int32)
    >>> encoded["bought_item_id"].to_lists()
    [[], [1, 3], [], []]
    """

    def __init__(self, schema: Schema) -> None:
        if not isinstance(schema, Schema):
            raise ValueError(
                f"`schema` must be a keras_infnet.Schema. Received: {schema!r}."
            )
        self.schema = schema
        #: Table name to ids, int64 or `str` objects; element i has id i + 1.
        self.vocabularies: dict[str, np.ndarray] = {}
        #: Table name to ascending float32 bin edges.
        self.boundaries: dict[str, np.ndarray] = {}
        #: Behavior name to rows so far that were cut to its max_length.
        self.truncated: dict[str, int] = {}
        #: Behavior name to events so far that were later than their request.
        self.later: dict[str, int] = {}
        self._indexes: dict[str, VocabularyIndex] = {}
        if not learned_tables(schema):  # all ids are hashed
            self._set({}, {})

    @property
    def fingerprint(self) -> str | None:
        """Hash of everything that maps raw values to ids.

        Encoders with equal vocabularies, bins and settings have equal
        fingerprints, on every machine and after `save` and `load`. `None`
        before `fit`. Models and batches have it as `schema.fingerprint`.
        """
        return self.schema.fingerprint if self.is_fitted else None

    @property
    def is_fitted(self) -> bool:
        """Whether every vocabulary and every bin edge is known."""
        return all(
            table in self.vocabularies or table in self.boundaries
            for table in learned_tables(self.schema)
        )

    def columns(self, labels: bool = True) -> tuple[str, ...]:
        """Returns the raw columns that `encode` reads.

        Args:
            labels: boolean. Whether labels and the group are among them.
                Defaults to `True`.

        Returns:
            Names, each once.
        """
        return raw_columns(self.schema, labels)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of text columns, which a CSV reader must not parse."""
        return text_columns(self.schema)

    # ------------------------------------------------------------------ fit

    def fit(self, source: Any, refit: bool = False) -> "Encoder":
        """Learns vocabularies and bin edges.

        Fitting again changes the meaning of ids, so that models and batches
        of this encoder no longer match it. It needs `refit=True`.

        Args:
            source: the training rows as a table, path or paths; see
                `keras_infnet.data.open_source`. Read chunk by chunk, and
                only in the columns that are needed.
            refit: boolean. Whether to replace what a fitted encoder has
                learned. Defaults to `False`.

        Returns:
            The encoder itself; its `schema` now holds the sizes of all tables
            and the fingerprint.

        Raises:
            ValueError: If the encoder is fitted already, the part is empty,
                columns are missing, or values do not fit the schema.
        """
        if (self.vocabularies or self.boundaries) and not refit:
            raise ValueError(
                "the encoder is fitted already. Received: refit=False. Use "
                "`Encoder(schema).fit(...)` for a new encoder, or "
                "`fit(..., refit=True)` to replace all ids: models and "
                "batches of this encoder can then not be used with it."
            )
        self._set(*learn(self.schema, source))
        return self

    def _set(
        self,
        vocabularies: dict[str, np.ndarray],
        boundaries: dict[str, np.ndarray],
    ) -> None:
        self.vocabularies = vocabularies
        self.boundaries = boundaries
        self._indexes = {
            name: VocabularyIndex(v) for name, v in vocabularies.items()
        }
        self.schema = self.schema.with_table_sizes(
            {name: len(v) + 1 for name, v in vocabularies.items()},
            fingerprint(self.schema, vocabularies, boundaries),
        )

    # --------------------------------------------------------------- encode

    def encode(self, table: Table | pd.DataFrame, labels: bool = True) -> Table:
        """Encodes a table.

        Args:
            table: `Table` or pandas frame with raw columns; others are
                ignored.
            labels: boolean. Whether to add labels and weights, for which the
                label columns must be there. Defaults to `True`.

        Returns:
            A `Table` of the same rows with the `schema.inputs`: int32 vectors
            for fields, `ListColumn`s for multi-valued fields (the first
            `max_values`) and for behaviors (the newest `max_length`; masks
            are left to the padding). With labels also `"label:{task}"` and
            `"weight:{task}"`, float32, 0 where not observed, and `"group:"`,
            the raw group, where the schema has one.

        Raises:
            ValueError: If the encoder is not fitted, columns are missing, or
                values do not fit the schema; column and row (from 0) are
                named.
        """
        table = as_table(table, "the table")
        if not self.is_fitted:
            raise ValueError(
                "the encoder is not fitted. Call `fit` on the training part, "
                "or `Encoder.load`."
            )
        check_columns(table.columns, self.columns(labels))
        columns: dict[str, Column] = {}
        for part in self.schema.fields:
            place = Place(part.name)
            raw = arrange(table[part.name], part, place)
            columns[part.name] = self._ids(part, cleaned(part, raw, place))
        for behavior in self.schema.behaviors:
            columns.update(self._encode_behavior(behavior, table))
        if labels:
            columns.update(label_columns(self.schema, table))
            if self.schema.group is not None:
                columns["group:"] = table[self.schema.group]
        return Table(columns)

    def _encode_behavior(
        self, behavior: Behavior, table: Table
    ) -> dict[str, Column]:
        unit = self.schema.time_unit
        parts = dict(
            zip(behavior.columns, self.schema.attributes(behavior), strict=True)
        )
        history: dict[str, Any] = {}
        for name, part in parts.items():
            raw = arrange(table[name], part, Place(name), events=True)
            history[name] = cleaned(part, raw, Place(name))
        if behavior.timed:
            name = behavior.time_column
            # Times have the nesting of a single-valued attribute.
            raw = arrange(table[name], Numeric(name), Place(name), events=True)
            history[name] = map_values(
                raw, Place(name), lambda values, at: times(values, unit, at)
            )
        history = align_events(behavior.name, history)
        history = drop_padding(history, behavior.columns)
        lengths = history[behavior.columns[0]].lengths
        self._count(
            "truncated",
            behavior,
            int(np.count_nonzero(lengths > behavior.max_length)),
            f"{len(table)} rows have more than {behavior.max_length} events; "
            "the newest are kept.",
        )
        columns: dict[str, Column] = {}
        for name, part in parts.items():
            events = history[name].newest(behavior.max_length)
            ids = self._ids(part, events.values)
            columns[name] = ListColumn(ids, events.starts, events.ends)
        if behavior.timed:
            events = history[behavior.time_column].newest(behavior.max_length)
            name = str(self.schema.request_time)
            request = times(table[name], unit, Place(name))
            gaps, later = gap_column(events, request, unit)
            self._count(
                "later",
                behavior,
                later,
                f"{len(gaps.values)} events are later than their request. "
                "Either `time_unit` is not the unit of both times, or the "
                "history contains events from after the request.",
            )
            columns[behavior.gap_input] = gaps
        return columns

    def _ids(self, part: Field, values: Column) -> Column:
        if isinstance(values, ListColumn):
            ids = self._ids(part, values.values)
            lists = ListColumn(ids, values.starts, values.ends)
            if isinstance(part, Categorical):
                lists = lists.first(part.max_values)
            return lists
        if isinstance(part, Numeric):
            return bin_ids(values, self.boundaries[part.table_name])
        if part.hash_buckets is not None:
            return hash_ids(values, part.hash_buckets)
        return self._indexes[part.table_name].look_up(values)

    def _count(
        self, counter: str, behavior: Behavior, found: int, problem: str
    ) -> None:
        counts, name = getattr(self, counter), behavior.name
        if found and name not in counts:
            _LOGGER.warning(
                "behavior %r: %d of %s This is reported once; `encoder.%s` "
                "continues to count.",
                name,
                found,
                problem,
                counter,
            )
        if found:
            counts[name] = counts.get(name, 0) + found

    # ---------------------------------------------------------------- files

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `schema.json` and `vocabularies.npz`, each atomically.

        Args:
            directory: path. Created if it does not exist.

        Raises:
            ValueError: If the encoder is not fitted.
        """
        if not self.is_fitted:
            raise ValueError("fit the encoder before saving it.")
        path = pathlib.Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        save_arrays(path / _ARRAYS_FILE, self.vocabularies, self.boundaries)
        self.schema.save(path / _SCHEMA_FILE)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Encoder":
        """Loads a saved encoder.

        Args:
            directory: path.

        Returns:
            `Encoder`, equal to the saved one.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is damaged, or the two do not belong
                together.
        """
        path = pathlib.Path(directory)
        for name in (_SCHEMA_FILE, _ARRAYS_FILE):
            if not (path / name).is_file():
                raise FileNotFoundError(
                    f"{path} has no {name}. Give a directory written by "
                    "`Encoder.save` or by `keras-infnet train`."
                )
        schema = Schema.load(path / _SCHEMA_FILE)
        vocabularies, boundaries = load_arrays(path / _ARRAYS_FILE)
        problems = disagreements(schema, vocabularies, boundaries)
        if problems:
            raise ValueError(
                f"{_SCHEMA_FILE} and {_ARRAYS_FILE} in {path} disagree: "
                f"{'; '.join(problems)}. Both must come from one "
                "`Encoder.save`."
            )
        encoder = cls(schema)
        encoder._set(vocabularies, boundaries)
        return encoder
