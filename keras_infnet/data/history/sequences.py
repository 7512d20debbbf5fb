"""Behavior sequences: the events of a user strictly before each row."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from keras_infnet.data.history.event_columns import (
    MISSING,
    check_distinct,
    check_new,
    check_single,
    event_times,
    require_columns,
    row_times,
)
from keras_infnet.data.history.event_index import EventIndex, entity_codes
from keras_infnet.data.sources.arrow_conversion import concat_columns
from keras_infnet.data.sources.table import Column, ListColumn, Table, as_table
from keras_infnet.schema import nearest_name
from keras_infnet.schema.behavior import sequence_column
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["SequenceSpec", "Sequences"]

_LOG = "the event log"
_HISTORY = "the history"


@dataclasses.dataclass(frozen=True)
class SequenceSpec:
    """Events and attributes that make up one behavior.

    Args:
        attributes: list of strings. Columns of the event log.
        where: string or `None`. A flag column of 0, 1 and NaN, or booleans;
            only events whose flag is 1 belong to the behavior. `None` takes
            all events. Defaults to `None`.
        max_length: integer. Number of newest events kept per row. Defaults
            to `50`.

    Raises:
        ValueError: If there is no attribute, or `max_length` is not positive.

    Example:

    >>> SequenceSpec(["video_id"], where="is_like").max_length
    50
    """

    attributes: tuple[str, ...]
    where: str | None = None
    max_length: int = 50

    def __post_init__(self) -> None:
        if isinstance(self.attributes, str) or not self.attributes:
            raise ValueError(
                "attributes must be a list of at least one column name. "
                f"Received: {self.attributes!r}."
            )
        object.__setattr__(self, "attributes", tuple(self.attributes))
        check_positive(max_length=self.max_length)


class Sequences:
    """Builds behavior sequences from an event log.

    The sequence of a row holds the events of its user with a time strictly
    smaller than that of the row, oldest first. The row itself, simultaneous
    and later events are excluded.

    Every sequence is a view (two integers a row) of one array of events
    sorted by user and time, however long the sequences are.

    Args:
        user: string. Column of the user, in rows, events and history.
        time: string. Column of the time, an integer, in rows and events.
        behaviors: mapping of behavior name to `SequenceSpec`.

    Raises:
        TypeError: If a behavior is not a `SequenceSpec`.
        ValueError: If there is no behavior, or two of the columns to be
            added have the same name.

    Example:

    >>> rows = Table({
    ...     "user_id": np.array([1, 1, 2, 1]),
    ...     "time": np.array([10, 20, 20, 30]),
    ...     "item_id": np.array([100, 101, 102, 103]),
    ...     "liked": np.array([1, 0, 1, 0]),
    ... })
    >>> sequences = Sequences("user_id", "time", {
    ...     "seen": SequenceSpec(["item_id"]),
    ...     "like": SequenceSpec(["item_id"], where="liked"),
    ... })
    >>> table = sequences.add(rows)
    >>> [list(map(int, ids)) for ids in table["seen_item_id"].to_lists()]
    [[], [100], [], [100, 101]]
    >>> [list(map(int, ids)) for ids in table["like_item_id"].to_lists()]
    [[], [100], [], [100]]
    """

    def __init__(
        self, user: str, time: str, behaviors: Mapping[str, SequenceSpec]
    ) -> None:
        if not behaviors:
            raise ValueError("Sequences needs at least one behavior.")
        self.user = user
        self.time = time
        self.behaviors = dict(behaviors)
        for name, spec in self.behaviors.items():
            if not isinstance(spec, SequenceSpec):
                raise TypeError(
                    f"behavior {name!r} must be a SequenceSpec, such as "
                    f"SequenceSpec(['item_id']). Received: {spec!r}."
                )
        check_distinct(
            self.columns,
            "Columns are named '{behavior}_{attribute}' and "
            "'{behavior}_time'. Rename a behavior, and name an attribute "
            "once.",
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that `add` adds."""
        return tuple(
            sequence_column(name, what)
            for name, spec in self.behaviors.items()
            for what in ("time", *self._attributes(spec))
        )

    def _attributes(self, spec: SequenceSpec) -> list[str]:
        """Returns the attributes other than the time, which is always added."""
        return [a for a in spec.attributes if a != "time" or a != self.time]

    def add(
        self,
        rows: Table,
        events: Table | None = None,
        history: Table | Mapping[str, Table] | None = None,
    ) -> Table:
        """Adds the sequences of every behavior to the rows.

        Args:
            rows: `Table` with the user and time columns.
            events: `Table` or `None`. The event log: user, time, flags and
                attributes. `None` means that the rows are their own log.
                Defaults to `None`.
            history: `Table`, mapping or `None`. Events from before the log,
                the oldest first. Where their time is missing (no time
                column, NaN or negative) they come before every event of the
                log, in the order given, with time -1. Attributes they lack
                are missing. A mapping holds one table of events per behavior;
                flags are not applied to them. Defaults to `None`.

        Returns:
            `Table` of the rows with the list columns
            `"{behavior}_{attribute}"` and `"{behavior}_time"`.

        Raises:
            TypeError: If an argument is neither a `Table` nor a pandas
                frame.
            ValueError: If a column is missing, a row or an event of the log
                has no time, a flag column holds other values than true and
                false, or the rows have one of the new columns already.
        """
        rows = as_table(rows, "the rows")
        events = rows if events is None else as_table(events, _LOG)
        if isinstance(history, Mapping):
            history = {n: as_table(t, _HISTORY) for n, t in history.items()}
        elif history is not None:
            history = as_table(history, _HISTORY)
        check_new(self.columns, rows, "Rename the behavior")
        require_columns(rows, [self.user, self.time], "the rows")
        require_columns(events, [self.user, self.time], _LOG)
        if isinstance(history, Mapping):
            for name in history:
                if name not in self.behaviors:
                    raise ValueError(
                        nearest_name(name, self.behaviors, "behavior")
                    )
        added: dict[str, Column] = {}
        for name, spec in self.behaviors.items():
            wanted = [spec.where] if spec.where is not None else []
            require_columns(events, [*spec.attributes, *wanted], _LOG)
            past: Table | None
            if isinstance(history, Table) or history is None:
                past = history
            else:
                past, wanted = history.get(name), []
            if past is not None:
                require_columns(past, [self.user, *wanted], _HISTORY)
            added.update(self._build(name, rows, events, past, bool(wanted)))
        return rows.with_columns(added)

    def _build(
        self,
        name: str,
        rows: Table,
        events: Table,
        history: Table | None,
        filter_history: bool,
    ) -> dict[str, Column]:
        spec = self.behaviors[name]
        # History first: where times are missing, the order counts.
        logs = [_where(events, spec.where, _LOG)]
        times = [event_times(logs[0], self.time, _LOG, known=True)]
        if history is not None:
            flag = spec.where if filter_history else None
            past = _where(history, flag, _HISTORY)
            logs.insert(0, past)
            times.insert(0, event_times(past, self.time, _HISTORY, known=False))
        codes = entity_codes(
            [rows[self.user], *(log[self.user] for log in logs)], self.user
        )
        joined_times = np.concatenate(times)
        index = EventIndex(np.concatenate(codes[1:]), joined_times)
        starts, ends = index.before(codes[0], row_times(rows, self.time))
        starts = np.maximum(starts, ends - spec.max_length)
        columns: dict[str, Column] = {
            sequence_column(name, "time"): ListColumn(
                joined_times[index.order], starts, ends
            )
        }
        for attribute in self._attributes(spec):
            values = _join(logs, attribute).take(index.order)
            column = sequence_column(name, attribute)
            columns[column] = ListColumn(values, starts, ends)
        return columns


def _where(table: Table, flag: str | None, what: str) -> Table:
    """Returns the events whose flag is 1; refuses others than 0, 1 and NaN."""
    if flag is None:
        return table
    flags = table[flag]
    check_single(flags, flag, what)
    if len(flags) and flags.dtype.kind not in "biuf":
        kind = "text" if flags.dtype.kind == "O" else str(flags.dtype)
        raise ValueError(
            f"{what}: flag {flag!r} must hold the numbers 0 and 1 or "
            f"booleans, NaN where missing. Received: {kind}, "
            f"{flags[0]!r} in row 0. Convert the column."
        )
    wrong = (flags != 0) & (flags != 1) & (flags == flags)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{what}: flag {flag!r} must be 0, 1 or NaN. Received: "
            f"{flags[row]} in row {row}. Compare the column with a threshold "
            "first."
        )
    return table.filter(flags == 1)


def _join(logs: list[Table], attribute: str) -> Column:
    """Joins an attribute of history and log; missing where one lacks it."""
    known = next(log[attribute] for log in logs if attribute in log)
    return concat_columns(
        [
            log[attribute] if attribute in log else _missing(known, len(log))
            for log in logs
        ],
        f"column {attribute!r} of history and log together",
    )


def _missing(like: Column, length: int) -> np.ndarray:
    """Returns missing values that do not change the dtype of a column."""
    if isinstance(like, np.ndarray) and like.dtype.kind in "iub":
        return np.full(length, MISSING, np.int8)
    return np.full(length, np.nan, np.float32)
