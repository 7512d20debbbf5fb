"""Point-in-time statistics: counts and rates of past events per entity."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from keras_infnet.data.history.event_columns import (
    check_distinct,
    check_new,
    event_times,
    require_columns,
    row_times,
)
from keras_infnet.data.history.event_index import (
    Entity,
    EventIndex,
    entity_name,
    occurrences,
)
from keras_infnet.data.sources.table import Table, as_table
from keras_infnet.schema import Numeric
from keras_infnet.schema.value_checks import check_choice
from keras_infnet.utils.argument_checks import check_number

__all__ = ["PointInTimeStatistics"]

_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6}
_DAY["ns"] = 86_400 * 10**9
_LOG = "the event log"
_HISTORY = "the history"


class PointInTimeStatistics:
    """Counts and smoothed feedback rates over strictly earlier events.

    For an entity such as the user, the item, or user and author together, and
    for every row:

    - `count`: how many events of the entity came before the row;
    - `rate = (sum + prior_strength * prior) / (observed + prior_strength)`
      for every feedback, over the earlier events of the entity whose feedback
      is observed (not NaN).

    The `prior` is point-in-time too: the mean feedback over all earlier
    events of all entities. A constant prior would leak the test days into the
    training rows.

    Count and rate are NaN where the entity is missing, and a rate is NaN
    before the first observed feedback of any entity. An unseen entity has
    count 0 and the prior as its rate.

    An entity may hold one multi-valued column (a `ListColumn`, such as the
    tags of an item). An event then counts for each of its values, and a row
    gets the mean over its values.

    Args:
        entities: list of strings and tuples of strings. A string is a column,
            a tuple the columns that identify the entity together.
        feedbacks: list of strings. Columns of the event log, numbers or
            booleans, NaN where not observed.
        time: string. Column of the time, an integer.
        prior_strength: float. Number of events that weigh as much as the
            prior. `0` means raw rates, NaN for unseen entities. Defaults to
            `20.0`.
        delay: `"event"` (events up to the one before the row) or `"day"`
            (events before the day of the row, as in a feature store that is
            refreshed at night). Defaults to `"event"`.
        time_unit: `"s"`, `"ms"`, `"us"` or `"ns"`, for the length of the day.
            Defaults to `"ms"`.
        utc_offset_hours: float. Hours that local time is ahead of UTC; days
            start at local midnight. Defaults to `0.0`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> rows = Table({
    ...     "user": np.array([1, 1, 2, 1]),
    ...     "time": np.array([10, 20, 20, 30]),
    ...     "click": np.array([1, 0, 1, 1]),
    ... })
    >>> statistics = PointInTimeStatistics(
    ...     ["user"], ["click"], time="time", prior_strength=1.0
    ... )
    >>> table = statistics.add(rows)
    >>> table["user_count"].tolist()
    [0.0, 1.0, 0.0, 2.0]
    >>> table["user_click_rate"].round(3)
    array([  nan, 1.   , 1.   , 0.556], dtype=float32)
    """

    def __init__(
        self,
        entities: Iterable[Entity],
        feedbacks: Iterable[str],
        time: str,
        prior_strength: float = 20.0,
        delay: str = "event",
        time_unit: str = "ms",
        utc_offset_hours: float = 0.0,
    ) -> None:
        self.entities = tuple(
            (entity,) if isinstance(entity, str) else tuple(entity)
            for entity in entities
        )
        self.feedbacks = tuple(feedbacks)
        self.time = time
        self.prior_strength = prior_strength
        self.delay = delay
        self.time_unit = time_unit
        self.utc_offset_hours = utc_offset_hours
        if not self.entities or not all(self.entities):
            raise ValueError(
                "PointInTimeStatistics needs at least one entity, and an "
                "entity at least one column. "
                f"Received: {list(self.entities)!r}."
            )
        check_number("prior_strength", prior_strength)
        check_choice(delay, ("event", "day"), "delay")
        check_choice(time_unit, tuple(_DAY), "time_unit")
        check_distinct(
            self.columns,
            "Name every entity and feedback once, and rename columns that "
            "join to the same name.",
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that `add` adds."""
        return tuple(
            f"{entity_name(entity)}_{what}"
            for entity in self.entities
            for what in ("count", *(f"{f}_rate" for f in self.feedbacks))
        )

    def fields(self, bins: int = 32) -> tuple[Numeric, ...]:
        """Returns the columns as fields of a schema.

        Args:
            bins: integer. Largest number of bins of a field. Defaults to
                `32`.

        Returns:
            Tuple of `Numeric`: counts in logarithmic bins, rates in
            quantiles.
        """
        return tuple(
            Numeric(
                name, bins, "log" if name.endswith("_count") else "quantile"
            )
            for name in self.columns
        )

    def add(
        self,
        rows: Table,
        events: Table | None = None,
        history: Table | None = None,
    ) -> Table:
        """Adds the statistics of every entity to the rows.

        Args:
            rows: `Table` with the time and the columns of the entities.
            events: `Table` or `None`. The event log: time, columns of the
                entities and feedbacks. `None` means that the rows are their
                own log. Defaults to `None`.
            history: `Table` or `None`. Events from before the log. An
                event without a time (no time column, NaN or negative)
                precedes all rows. Without the columns of an entity its events
                do not count for that entity; a feedback without a column is
                not observed. Defaults to `None`.

        Returns:
            `Table` of the rows with the float32 columns `"{entity}_count"`
            and `"{entity}_{feedback}_rate"`; the columns of an entity are
            joined by `"_x_"`.

        Raises:
            TypeError: If an argument is neither a `Table` nor a pandas
                frame.
            ValueError: If a column is missing, a row or an event of the log
                has no time, or the rows have one of the new columns already.
        """
        rows = as_table(rows, "the rows")
        events = rows if events is None else as_table(events, _LOG)
        if history is not None:
            history = as_table(history, _HISTORY)
        check_new(self.columns, rows, "Add statistics only once")
        named = [name for entity in self.entities for name in entity]
        require_columns(rows, [self.time, *named], "the rows")
        require_columns(events, [self.time, *named, *self.feedbacks], _LOG)
        logged = event_times(events, self.time, _LOG, known=True)
        logs, times = [events], logged
        if history is not None:
            past = event_times(history, self.time, _HISTORY, known=False)
            logs, times = [history, events], np.concatenate([past, logged])
        feedbacks = {
            name: np.concatenate([_feedback(log, name) for log in logs])
            for name in self.feedbacks
        }
        cutoffs = self._cutoffs(row_times(rows, self.time))
        priors = self._priors(cutoffs, times, feedbacks)
        added: dict[str, np.ndarray] = {}
        for entity in self.entities:
            added.update(
                self._statistics(
                    entity, rows, logs, cutoffs, times, feedbacks, priors
                )
            )
        return rows.with_columns(added)

    def _cutoffs(self, times: np.ndarray) -> np.ndarray:
        """Returns the time before which events are known to each row."""
        if self.delay == "event":
            return times
        day = _DAY[self.time_unit]
        offset = round(self.utc_offset_hours * day / 24)
        # Not before 0, or events without a time (-1) would drop out.
        return np.maximum((times + offset) // day * day - offset, 0)

    def _priors(
        self,
        cutoffs: np.ndarray,
        times: np.ndarray,
        feedbacks: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Returns the mean feedback before each row, NaN where unknown."""
        index = EventIndex(np.zeros(len(times), np.int64), times)
        starts, ends = index.before(np.zeros(len(cutoffs), np.int64), cutoffs)
        priors = {}
        for name, values in feedbacks.items():
            total, observed = _sums(values[index.order], starts, ends)
            priors[name] = _ratio(total, observed)
        return priors

    def _statistics(
        self,
        entity: tuple[str, ...],
        rows: Table,
        logs: list[Table],
        cutoffs: np.ndarray,
        times: np.ndarray,
        feedbacks: Mapping[str, np.ndarray],
        priors: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        (asked, codes), (happened, known) = occurrences(entity, rows, logs)
        index = EventIndex(known, times[happened])
        starts, ends = index.before(codes, cutoffs[asked])
        events = happened[index.order]
        name = entity_name(entity)
        result = {f"{name}_count": _row_means(asked, ends - starts, len(rows))}
        for feedback, values in feedbacks.items():
            total, observed = _sums(values[events], starts, ends)
            weight = self.prior_strength
            if weight:
                total = total + weight * priors[feedback][asked]
            rate = _ratio(total, observed + weight)
            result[f"{name}_{feedback}_rate"] = _row_means(
                asked, rate, len(rows)
            )
        return result


def _feedback(log: Table, name: str) -> np.ndarray:
    """Returns a feedback as float64, NaN where not observed."""
    if name not in log:
        return np.full(len(log), np.nan)
    values = log[name]
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iubf":
        raise ValueError(
            f"feedback {name!r} must hold numbers. Received: {values!r}."
        )
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"feedback {name!r} must be finite, or NaN where it was not "
            f"observed. Received: {values[row]} in row {row}."
        )
    return values.astype(np.float64)


def _sums(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sum and number of the observed values in each range.

    Running sums restart at every range, so that a huge value of one entity
    does not cancel the digits of later ones. Ranges must not reach beyond the
    start of the next range, which holds for the events of entities.
    """
    observed = ~np.isnan(values)
    counts = np.concatenate([[0], np.cumsum(observed)])
    entities = np.searchsorted(
        np.unique(starts), np.arange(len(values)), side="right"
    )
    filled = pd.Series(np.where(observed, values, 0.0))
    running = filled.groupby(entities, sort=False).cumsum().to_numpy()
    totals = np.zeros(len(starts))
    filled_ranges = ends > starts
    totals[filled_ranges] = running[ends[filled_ranges] - 1]
    return totals, counts[ends] - counts[starts]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divides; NaN where nothing was observed."""
    unknown = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=unknown, where=denominator > 0)


def _row_means(
    rows: np.ndarray, values: np.ndarray, num_rows: int
) -> np.ndarray:
    """Returns the mean value of each row, NaN for rows without values."""
    totals = np.bincount(rows, weights=values, minlength=num_rows)
    counts = np.bincount(rows, minlength=num_rows)
    return _ratio(totals, counts).astype(np.float32)
