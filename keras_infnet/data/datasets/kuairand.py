"""KuaiRand-Pure: short videos shown to users of Kuaishou, with feedback."""

import os
from collections.abc import Iterable, Sequence

import numpy as np

from keras_infnet.data.datasets.dataset import Dataset
from keras_infnet.data.datasets.kuairand_files import (
    KuaiRandFiles,
    positions,
    where_to_get_it,
)
from keras_infnet.data.datasets.kuairand_schema import (
    FEEDBACKS,
    make_schema,
    make_specs,
)
from keras_infnet.data.history.event_index import Entity
from keras_infnet.data.history.point_in_time_statistics import (
    PointInTimeStatistics,
)
from keras_infnet.data.history.sequences import Sequences
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Numeric

__all__ = ["load"]

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_BEIJING = 8  # hours ahead of UTC


def load(
    path: str | os.PathLike[str] | None = None,
    train: Sequence[int] | None = None,
    validation: Sequence[int] | None = (20220503, 20220504),
    test: Sequence[int] = (20220505, 20220506),
    behaviors: bool = True,
    statistics: Iterable[Entity] = (
        "user_id",
        "video_id",
        "author_id",
    ),
    delay: str = "event",
    max_length: int = 50,
    min_count: int = 1,
) -> Dataset:
    """Loads KuaiRand-Pure in its official CSV layout.

    Reads the standard-policy logs and the basic features of users and
    videos. The log of random exposures and the monthly video statistics,
    which include the test days, are never read. The first log may be absent
    when its digest `history_until_apr24.parquet` lies beside it: then
    the histories start the sequences and the statistics.

    Rows that repeat an exposure (same user, video and time) are dropped, and
    so are rows not later than the last event of their user's history. Rows
    are in time order. Only the labels of a row depend on what the user did
    with it.

    - Tasks: `click`, `like`, `long_view`.
    - Behaviors: `watched` (with the flags of the past exposures),
      `long_view`, `like`.
    - Statistics: `PointInTimeStatistics` of the three feedbacks. Events of
      the history file have no times. They count from the time of the last
      event of their user's history.

    Args:
        path: string, path or `None`. The unpacked folder, or its `data/`;
            `None` raises and says where to get it. Defaults to `None`.
        train: pair of integers or `None`. First and last `date` (such as
            `20220425`) of the training part. `None` means all days before the
            next part. Defaults to `None`.
        validation: pair of integers or `None`. Days of the validation part;
            `None` or empty for none. Defaults to `(20220503, 20220504)`.
        test: pair of integers. Days of the test part. Defaults to
            `(20220505, 20220506)`.
        behaviors: boolean. Whether to build the sequences. Defaults to
            `True`.
        statistics: list of strings and tuples of strings. Entities of the
            statistics, empty for none. Defaults to
            `("user_id", "video_id", "author_id")`.
        delay: `"event"` or `"day"`. How fresh the statistics are. Defaults to
            `"event"`.
        max_length: integer. Events of a sequence. Defaults to `50`.
        min_count: integer. Ids of users, videos, authors and music seen fewer
            times in the training part are unknown. Defaults to `1`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If there is no path, if the days of the parts are out of
            order, or if a part is empty.
        FileNotFoundError: If files are missing.
    """
    if path is None:
        raise ValueError(
            f"KuaiRand-Pure needs the path of its files. {where_to_get_it()}"
        )
    files = KuaiRandFiles(path)
    videos, history = files.videos(), files.history()
    rows = _rows(files.log(), files.users(), videos, history)
    periods = _periods(rows["date"], train, validation, test)
    fields: tuple[Numeric, ...] = ()
    entities = tuple(statistics)
    if entities:
        builder = PointInTimeStatistics(
            entities,
            FEEDBACKS,
            time="time_ms",
            delay=delay,
            utc_offset_hours=_BEIJING,
        )
        past = None if history is None else _watched(history, videos)
        rows = builder.add(rows, history=past)
        fields = builder.fields()
    if behaviors:
        before = None if history is None else _histories(history, videos)
        rows = Sequences("user_id", "time_ms", make_specs(max_length)).add(
            rows, history=before
        )
    parts = {name: _days(rows, days) for name, days in periods.items()}
    return Dataset(
        schema=make_schema(fields, behaviors, max_length, min_count),
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts["test"],
        name="kuairand",
    )


def _rows(
    log: Table, users: Table, videos: Table, history: Table | None
) -> Table:
    """Returns the exposures with the features of their user and video."""
    if history is not None:
        last = np.append(history["last_time_ms"], -1)
        index = positions(history["user_id"], log["user_id"])
        log = log.filter(log["time_ms"] > last[index])
    user = users.take(positions(users["user_id"][:-1], log["user_id"]))
    video = _features(videos, log["video_id"])
    local = log["time_ms"] + _BEIJING * _HOUR
    day = (local // _DAY).astype(np.float32)
    columns = {
        **{name: user[name] for name in user.columns},
        **{name: video[name] for name in video.columns},
        "hour": (local // _HOUR % 24).astype(np.int32),
        "video_age_days": day - video["upload_day"],
        # Last, so that the duration is that of the log.
        **{name: log[name] for name in log.columns},
    }
    return Table(columns).without("upload_day")


def _features(videos: Table, ids: np.ndarray) -> Table:
    """Returns the features of the videos with these ids."""
    found = videos.take(positions(videos["video_id"][:-1], ids))
    return found.with_columns({"video_id": ids})


def _watched(history: Table, videos: Table) -> Table:
    """Returns past exposures, each at the latest time it can have had."""
    seen = _events(history, "watch_seq", videos)
    lengths = history["watch_seq"].lengths
    return seen.with_columns(
        {
            "is_like": history["watch_like"].flatten(),
            "long_view": history["watch_long_view"].flatten(),
            "time_ms": np.repeat(history["last_time_ms"], lengths),
        }
    )


def _histories(history: Table, videos: Table) -> dict[str, Table]:
    """Returns the past events of every behavior; their times are unknown."""
    return {
        "watched": _watched(history, videos).without("time_ms"),
        "like": _events(history, "like_seq", videos),
        "long_view": _events(history, "long_view_seq", videos),
    }


def _events(history: Table, column: str, videos: Table) -> Table:
    """Returns one event per row instead of one user per row."""
    lists = history[column]
    user = np.repeat(history["user_id"], lists.lengths)
    events = _features(videos, lists.flatten().astype(np.int64))
    return events.with_columns({"user_id": user})


def _periods(
    dates: np.ndarray,
    train: Sequence[int] | None,
    validation: Sequence[int] | None,
    test: Sequence[int],
) -> dict[str, tuple[int, int]]:
    """Returns the first and last day of every part, in order."""
    given = {"train": train, "validation": validation or None, "test": test}
    periods = {
        name: _period(days, name)
        for name, days in given.items()
        if days is not None
    }
    if train is None:
        following = periods.get("validation", periods["test"])
        before = dates[dates < following[0]]
        if not len(before):
            raise ValueError(
                f"the log has no day before {following[0]} to train on: it "
                f"begins on {dates.min()}."
            )
        periods = {"train": (int(before.min()), int(before.max())), **periods}
    names = list(periods)
    for first, second in zip(names[:-1], names[1:], strict=True):
        if periods[first][1] >= periods[second][0]:
            raise ValueError(
                f"the days of {first} must end before those of {second} "
                f"begin. Received: {first}={periods[first]}, "
                f"{second}={periods[second]}."
            )
    return periods


def _period(days: Sequence[int], name: str) -> tuple[int, int]:
    """Checks and returns a pair of days."""
    pair = tuple(days)
    if (
        len(pair) != 2
        or not all(isinstance(day, int) for day in pair)
        or pair[0] > pair[1]
    ):
        raise ValueError(
            f"{name} must be the first and the last day, such as "
            f"(20220425, 20220502). Received: {days!r}."
        )
    return pair[0], pair[1]


def _days(rows: Table, days: tuple[int, int]) -> Table:
    """Returns the rows from the first to the last day."""
    dates = rows["date"]
    part = rows.filter((dates >= days[0]) & (dates <= days[1]))
    if not len(part):
        raise ValueError(
            f"the log has no rows from {days[0]} to {days[1]}. It goes from "
            f"{dates.min()} to {dates.max()}: change train=, validation= or "
            "test=."
        )
    return part
