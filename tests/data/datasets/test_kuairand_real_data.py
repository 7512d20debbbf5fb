"""The real KuaiRand-Pure, against a plain reading of its files."""

import csv
import pathlib
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from kuairand_examples import LEAKS

from keras_infnet.data.datasets import kuairand

REAL = (
    pathlib.Path(__file__).resolve().parents[3].parent
    / "shared/data/kuairand_pure"
)


@pytest.fixture(scope="module")
def real():
    if not REAL.is_dir():
        pytest.skip("KuaiRand-Pure is not at ../shared/data")
    data = kuairand.load(REAL)
    with open(
        REAL / "data" / "log_standard_4_22_to_5_08_pure.csv", newline=""
    ) as file:
        log = list(csv.DictReader(file))
    history = pd.read_parquet(REAL / "history_until_apr24.parquet")
    return data, log, history.set_index("user_id")


def test_real_counts(real):
    data, log, history = real
    last = history["last_time_ms"].to_dict()
    seen = set()
    expected = defaultdict(int)
    for event in log:
        user = int(event["user_id"])
        key = (user, event["video_id"], event["time_ms"])
        if key in seen or int(event["time_ms"]) <= last.get(user, -1):
            continue
        seen.add(key)
        part = "train" if event["date"] < "20220503" else "validation"
        expected["test" if event["date"] > "20220504" else part] += 1
    for name, rows in expected.items():
        table = getattr(data, name)
        assert len(table) == rows
        keys = table.select(["user_id", "video_id", "time_ms"]).to_pandas()
        assert not keys.duplicated().any()
        assert not LEAKS & set(table.columns)


def test_real_sequences_and_counts_do_not_leak(real):
    data, log, history = real
    authors = {}
    path = REAL / "data" / "video_features_basic_pure.csv"
    with open(path, newline="") as file:
        for video in csv.DictReader(file):
            authors[int(video["video_id"])] = int(video["author_id"])
    last = history["last_time_ms"].to_dict()
    by_user, by_video, seen = defaultdict(list), defaultdict(list), set()
    for event in log:
        user, video = int(event["user_id"]), int(event["video_id"])
        time = int(event["time_ms"])
        if (user, video, time) in seen or time <= last.get(user, -1):
            continue
        seen.add((user, video, time))
        click, like = int(event["is_click"]), int(event["is_like"])
        view = int(event["long_view"])
        by_user[user].append((time, video, click, like, view))
        by_video[video].append(time)
    for user, watched in history["watch_seq"].items():
        for video in watched:
            by_video[video].append(last[user])

    rng = np.random.default_rng(0)
    for table in (data.train, data.validation, data.test):
        for row in (
            table.take(rng.integers(0, len(table), 80))
            .to_pandas()
            .to_dict("records")
        ):
            user, time = row["user_id"], row["time_ms"]
            past = sorted(
                (e for e in by_user[user] if e[0] < time), key=lambda e: e[0]
            )
            start = history.loc[user] if user in history.index else None
            before = {
                key: [] if start is None else list(start[f"{key}_seq"])
                for key in ("watch", "like", "long_view")
            }
            watched = before["watch"] + [e[1] for e in past]
            liked = before["like"] + [e[1] for e in past if e[3]]
            viewed = before["long_view"] + [e[1] for e in past if e[4]]
            for name, videos in (
                ("watched", watched),
                ("like", liked),
                ("long_view", viewed),
            ):
                found = list(row[f"{name}_video_id"])
                assert len(found) == min(len(videos), 50)
                assert found == videos[-50:]
                assert list(row[f"{name}_author_id"]) == [
                    authors[video] for video in videos[-50:]
                ]
            clicks = [-1] * len(before["watch"]) + [e[2] for e in past]
            assert list(row["watched_is_click"]) == clicks[-50:]
            times = [-1] * len(before["watch"]) + [e[0] for e in past]
            assert list(row["watched_time"]) == times[-50:]
            assert row["user_id_count"] == len(watched)
            assert row["video_id_count"] == sum(
                t < time for t in by_video[row["video_id"]]
            )
