"""KuaiRand-Pure from tiny files, row by row."""

import numpy as np
from kuairand_examples import DAY, LEAKS, START

from keras_infnet.data.datasets import kuairand
from keras_infnet.data.sources.table import ListColumn


def test_full_layout(full):
    data = kuairand.load(full)
    assert [len(t) for t in (data.train, data.validation, data.test)] == [
        4,
        1,
        2,
    ]
    assert data.train["time_ms"].tolist() == [
        START + int(day * DAY) for day in (-10, -9, 0.5, 1.5)
    ]
    assert data.train["watched_video_id"].to_lists() == [
        [],
        [],
        [12],
        [12, 10],
    ]
    # Neither sees the other of the same instant, nor itself.
    assert data.test["watched_video_id"].to_lists() == [[12, 10, 11]] * 2
    assert data.test["watched_is_click"].to_lists() == [[1, 1, 0]] * 2
    assert data.test["like_author_id"].to_lists() == [[100, 101]] * 2
    assert data.test["long_view_tag"].to_lists() == [[[5], []]] * 2
    assert data.test["user_id_count"].tolist() == [3, 3]
    assert data.test["video_id_count"].tolist() == [2, 2]


def test_fields_of_a_row(full):
    train = kuairand.load(full / "data").train.to_pandas()
    row = train.iloc[2]
    assert row["author_id"] == 100
    assert list(row["tag"]) == [3, 4]
    assert row["upload_type"] == "LongImport"
    assert row["hour"] == 12
    assert row["video_age_days"] == 16
    assert row["duration_ms"] == 10_000
    assert row["user_active_degree"] == "full_active"
    assert row["is_live_streamer"] < 0
    assert row["onehot_feat4"] == -1
    assert row["onehot_feat12"] == 0
    assert train.iloc[3]["music_type"] == -1
    assert list(train.iloc[3]["tag"]) == []
    # User 3 has no features.
    assert train.iloc[1]["user_active_degree"] is None
    assert train.iloc[1]["onehot_feat0"] == -1
    assert not LEAKS & set(train)


def test_schema_and_tables_agree(full):
    data = kuairand.load(full)
    schema = data.schema
    needed = {"user_id", "time_ms", *schema.raw_inputs}
    needed |= {task.label_column for task in schema.tasks}
    for table in (data.train, data.validation, data.test):
        assert needed <= set(table.columns)
    assert schema.task_names == ("click", "like", "long_view")
    assert schema.scenario == "tab"
    assert schema.group == "user_id"
    assert schema.is_timed
    for name, spec in schema.raw_inputs.items():
        column = data.train[name]
        depth = column.depth if isinstance(column, ListColumn) else 0
        assert depth == len(spec.shape), name


def test_part_begins_with_the_histories(part):
    data = kuairand.load(part, max_length=3)
    # Half a day after midnight is not later than the history's last event.
    assert data.train["time_ms"].tolist() == [START + int(1.5 * DAY)]
    assert data.train["watched_video_id"].to_lists() == [[12, 10]]
    assert data.train["watched_time"].to_lists() == [[-1, -1]]
    assert data.train["watched_is_click"].to_lists() == [[-1, -1]]
    assert data.train["watched_is_like"].to_lists() == [[1, 0]]
    assert data.train["like_video_id"].to_lists() == [[11, 12]]
    assert data.train["watched_duration_ms"].to_lists() == [[7000, 5000]]
    assert data.test["like_video_id"].to_lists() == [[11, 12, 11]] * 2
    assert data.test["watched_is_click"].to_lists() == [[-1, -1, 0]] * 2
    assert data.train["user_id_count"].tolist() == [2]
    assert data.train["video_id_count"].tolist() == [1]
    # Likes of all: 1, 0, 0; of the user: 1, 0. No click is known.
    np.testing.assert_allclose(
        data.train["user_id_is_like_rate"], [(1 + 20 / 3) / 22], rtol=1e-6
    )
    assert np.isnan(data.train["user_id_is_click_rate"]).all()


def test_options(full):
    data = kuairand.load(
        full,
        train=[20220415, 20220425],
        validation=None,
        test=(20220503, 20220505),
        behaviors=False,
        statistics=[("user_id", "tag")],
        delay="day",
        min_count=2,
    )
    assert data.validation is None
    assert len(data.train) == 3 and len(data.test) == 3
    assert data.schema.behaviors == ()
    statistics = [n for n in data.train.columns if n.endswith("_count")]
    assert statistics == ["user_id_x_tag_count"]
    assert not any(n.startswith("watched") for n in data.train.columns)
    assert data.schema.field("video_id").min_count == 2
    plain = kuairand.load(full, statistics=())
    assert not any(n.endswith("_rate") for n in plain.train.columns)
