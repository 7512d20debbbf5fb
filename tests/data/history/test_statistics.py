import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from keras_infnet.data.history.point_in_time_statistics import (
    PointInTimeStatistics,
)
from keras_infnet.data.sources.table import ListColumn, Table

ENTITIES = ["user", ("user", "author"), "tags", ("user", "tags")]
FEEDBACKS = ["click", "seconds"]
EVENT = st.tuples(
    st.integers(-1, 2),  # user
    st.sampled_from(["x", "y", None, ""]),  # author
    st.integers(0, 8),  # time
    st.lists(st.integers(0, 3), max_size=2),  # tags
    st.sampled_from([0.0, 1.0, np.nan]),  # click
    st.sampled_from([2.5, -1.0, np.nan]),  # seconds
)
NAMES = ("user", "author", "time", "tags", *FEEDBACKS)


def table(events):
    columns = {name: [e[i] for e in events] for i, name in enumerate(NAMES)}
    return Table(
        {
            "user": np.array(columns["user"], np.int64),
            "author": np.array(columns["author"], object),
            "time": np.array(columns["time"], np.int64),
            "tags": ListColumn.from_lists(columns["tags"], np.int64),
            "click": np.array(columns["click"], np.float64),
            "seconds": np.array(columns["seconds"], np.float64),
        }
    )


def keys(event, entity):
    """Every identity that an event has for an entity."""
    found = [()]
    for name in (entity,) if isinstance(entity, str) else entity:
        value = event[NAMES.index(name)]
        values = value if isinstance(value, list) else [value]
        found = [
            (*key, v)
            for key in found
            for v in values
            if v not in (-1, None, "")
        ]
    return found


def observed(events, feedback):
    values = [event[NAMES.index(feedback)] for event in events]
    return [value for value in values if not np.isnan(value)]


def naive(rows, log, entity, strength, day=None):
    """Counts and rates by a loop over rows and, for each, over the log."""
    counts, rates = [], {feedback: [] for feedback in FEEDBACKS}
    for row in rows:
        cutoff = row[2] if day is None else row[2] // day * day
        earlier = [event for event in log if event[2] < cutoff]
        own = [
            [e for e in earlier for k in keys(e, entity) if k == key]
            for key in keys(row, entity)
        ]
        counts.append(np.mean([len(e) for e in own]) if own else np.nan)
        for feedback in FEEDBACKS:
            everyone = observed(earlier, feedback)
            prior = np.mean(everyone) if everyone else np.nan
            values = []
            for events in own:
                seen = observed(events, feedback)
                top = sum(seen) + (strength * prior if strength else 0.0)
                bottom = len(seen) + strength
                values.append(top / bottom if bottom else np.nan)
            rates[feedback].append(np.mean(values) if values else np.nan)
    return counts, rates


def check(statistics, rows, log, result, day=None):
    for entity in ENTITIES:
        name = entity if isinstance(entity, str) else "_x_".join(entity)
        counts, rates = naive(rows, log, entity, statistics.prior_strength, day)
        np.testing.assert_allclose(result[f"{name}_count"], counts)
        for feedback in FEEDBACKS:
            np.testing.assert_allclose(
                result[f"{name}_{feedback}_rate"], rates[feedback], atol=1e-6
            )


LOG = st.lists(EVENT, max_size=10)


@settings(max_examples=40, deadline=None)
@given(LOG, LOG, LOG, st.sampled_from([0.0, 0.5, 20.0]))
def test_equals_a_loop_over_the_log(rows, events, history, strength):
    statistics = PointInTimeStatistics(
        ENTITIES, FEEDBACKS, time="time", prior_strength=strength
    )
    check(statistics, rows, rows, statistics.add(table(rows)))
    check(statistics, rows, events, statistics.add(table(rows), table(events)))
    # A history with times is more of the log; one without is always known.
    check(
        statistics,
        rows,
        rows + history,
        statistics.add(table(rows), None, table(history)),
    )
    timeless = [(*e[:2], -1, *e[3:]) for e in history]
    check(
        statistics,
        rows,
        events + timeless,
        statistics.add(
            table(rows), table(events), table(history).without("time")
        ),
    )


@settings(max_examples=30, deadline=None)
@given(LOG, LOG)
def test_delay_of_a_day_equals_the_loop(rows, events):
    # Steps of six hours: four moments a day, so that days hold several.
    hours = 3_600_000 * 6
    late = [(*e[:2], e[2] * hours, *e[3:]) for e in rows]
    log = [(*e[:2], e[2] * hours, *e[3:]) for e in events]
    statistics = PointInTimeStatistics(
        ENTITIES, FEEDBACKS, time="time", delay="day"
    )
    result = statistics.add(table(late), table(log))
    check(statistics, late, log, result, day=86_400_000)


def test_the_day_starts_at_local_midnight():
    hour = 3600
    times = np.array([14, 15, 17, 39, 41]) * hour
    rows = Table({"user": np.ones(5, int), "time": times, "click": [1] * 5})
    count = PointInTimeStatistics(
        ["user"],
        ["click"],
        time="time",
        delay="day",
        time_unit="s",
        utc_offset_hours=8,  # midnight at 16:00 UTC
    ).add(rows, history=Table({"user": [1]}))["user_count"]
    assert count.tolist() == [1, 1, 3, 3, 5]


def test_by_hand():
    rows = Table(
        {
            "user": [1, 1, 1, 2],
            "time": [10, 20, 20, 30],
            "like": np.array([1.0, 0.0, np.nan, 1.0]),
        }
    )
    history = Table({"user": [1, 2], "like": [1, 0]})
    result = PointInTimeStatistics(
        ["user"], ["like"], time="time", prior_strength=2.0
    ).add(rows, history=history)
    assert result["user_count"].tolist() == [1, 2, 2, 1]
    # Priors 1/2, 2/3, 2/3, 2/4: the missing feedback does not count.
    np.testing.assert_allclose(
        result["user_like_rate"],
        [(1 + 1) / 3, (2 + 4 / 3) / 4, (2 + 4 / 3) / 4, (0 + 1) / 3],
        rtol=1e-6,
    )
    assert result["user_like_rate"].dtype == np.float32


def test_fields_of_the_schema():
    statistics = PointInTimeStatistics(
        ["user", ("user", "author")], ["click"], time="time"
    )
    assert statistics.columns == (
        "user_count",
        "user_click_rate",
        "user_x_author_count",
        "user_x_author_click_rate",
    )
    fields = statistics.fields(bins=8)
    assert [field.binning for field in fields] == ["log", "quantile"] * 2
    assert {field.bins for field in fields} == {8}


def test_history_may_lack_columns():
    rows = Table(
        {"user": [1], "author": ["a"], "tab": [3], "time": [5], "click": [1]}
    )
    result = PointInTimeStatistics(
        ["user", ("user", "author"), "tab"], ["click"], time="time"
    ).add(rows, history=Table({"user": [1]}))
    assert result["user_count"].tolist() == [1]
    assert result["user_x_author_count"].tolist() == [0]
    assert result["tab_count"].tolist() == [0]
    assert np.isnan(result["user_click_rate"]).all()


@pytest.mark.parametrize(
    ("arguments", "columns", "message"),
    [
        ({"feedbacks": ["clik"]}, {}, "'clik'.*'click'"),
        ({"entities": ["usr"]}, {}, "rows.*'usr'"),
        ({"entities": [("tags", "more")]}, {"more": [[1]]}, "'tags'.*'more'"),
        ({}, {"click": np.array([np.inf])}, "'click'.*inf in row 0"),
        ({}, {"click": ["yes"]}, "'click'"),
        ({}, {"time": np.array([-1])}, "'time'.*row 0"),
        ({"delay": "days"}, {}, "delay 'days'"),
        ({"time_unit": "h"}, {}, "time_unit 'h'"),
        ({"prior_strength": -1.0}, {}, "prior_strength.*-1.0"),
        ({"prior_strength": "x"}, {}, "prior_strength.*'x'"),
        ({"entities": []}, {}, r"entity.*\[\]"),
        ({"entities": ["user", "user"]}, {}, "'user_count'"),
    ],
)
def test_mistakes_are_named(arguments, columns, message):
    rows = table([(1, "x", 3, [1], 1.0, 2.0)]).with_columns(columns)
    arguments = {"entities": ["user"], "feedbacks": ["click"], **arguments}
    with pytest.raises(ValueError, match=message):
        PointInTimeStatistics(time="time", **arguments).add(rows)


def test_columns_are_not_overwritten():
    rows = table([(1, "x", 3, [1], 1.0, 2.0)])
    statistics = PointInTimeStatistics(["user"], ["click"], time="time")
    with pytest.raises(ValueError, match="'user_count'"):
        statistics.add(statistics.add(rows))


def test_arguments_of_other_types():
    rows = table([(1, "x", 3, [1], 1.0, 2.0)])
    statistics = PointInTimeStatistics(["user"], ["click"], time="time")
    assert statistics.add(rows.to_pandas())["user_count"].tolist() == [0]
    with pytest.raises(TypeError, match="event log.*str"):
        statistics.add(rows, "log")


def test_a_huge_feedback_stays_with_its_entity():
    rows = Table(
        {
            "user": [1, 2, 2, 1],
            "time": [1, 2, 3, 4],
            "seconds": np.array([1e17, 1.0, 3.0, 0.0]),
        }
    )
    rate = PointInTimeStatistics(
        ["user"], ["seconds"], time="time", prior_strength=0.0
    ).add(rows)["user_seconds_rate"]
    np.testing.assert_allclose(rate, [np.nan, np.nan, 1.0, 1e17])
