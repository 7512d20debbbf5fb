import datetime

import numpy as np
import pandas as pd
import pytest

from keras_infnet.data.sources.table import Table
from keras_infnet.data.splits import split_by_time


def test_parts_are_half_open_complete_and_in_order():
    rng = np.random.default_rng(0)
    table = Table({"day": rng.integers(0, 9, 100), "row": np.arange(100)})
    parts = split_by_time(table, "day", [3, 7])
    for part, low, high in zip(parts, (0, 3, 7), (2, 6, 8), strict=True):
        assert part["day"].min() == low
        assert part["day"].max() == high
        assert (np.diff(part["row"]) > 0).all()
    assert sum(len(part) for part in parts) == 100


@pytest.mark.parametrize(
    ("times", "boundary"),
    [
        (["2022-04-25", "2022-05-01"], "2022-05-01"),
        (np.array(["2022-04-25", "2022-05-01"], "M8[us]"), "2022-05-01"),
        (
            np.array(["2022-04-25", "2022-05-01"], "M8[s]"),
            pd.Timestamp("2022-04-25 00:00:00.5"),
        ),
        (
            np.array(["2022-04-25", "2022-05-01"], "M8[ns]"),
            datetime.date(2022, 5, 1),
        ),
        ([1.5, 2.5], 2),
    ],
)
def test_text_datetimes_and_floats(times, boundary):
    first, second = split_by_time(Table({"t": times}), "t", [boundary])
    assert len(first) == len(second) == 1
    assert first["t"][0] < second["t"][0]


def test_mistakes_are_explained():
    table = Table({"day": [1, 2, 3], "time": [1.0, np.nan, 2.0]})
    with pytest.raises(ValueError, match="must rise. Received: 3 before 2"):
        split_by_time(table, "day", [3, 2])
    with pytest.raises(ValueError, match="must rise"):
        split_by_time(table, "day", [2, 2])
    with pytest.raises(ValueError, match="from 4 on, .*empty.*1 to 3"):
        split_by_time(table, "day", [2, 4])
    with pytest.raises(ValueError, match="before the first boundary"):
        split_by_time(table, "day", [1])
    with pytest.raises(ValueError, match="at least one"):
        split_by_time(table, "day", [])
    with pytest.raises(ValueError, match="no time in row 1"):
        split_by_time(table, "time", [1])
    with pytest.raises(ValueError, match="holds numbers.*Received: '2'"):
        split_by_time(table, "day", ["2"])
    with pytest.raises(ValueError, match="Did you mean 'day'"):
        split_by_time(table, "dya", [2])


@pytest.mark.parametrize("boundary", [3, "soon", None])
def test_boundaries_of_datetimes(boundary):
    times = np.array(["2022-04-25", "2022-05-01"], "M8[us]")
    with pytest.raises(ValueError, match="'t' holds datetimes, so boundaries"):
        split_by_time(Table({"t": times}), "t", [boundary])


def test_pandas_frames():
    frame = Table({"day": [1, 2]}).to_pandas()
    assert len(split_by_time(frame, "day", [2])) == 2
    with pytest.raises(TypeError, match="must be a Table"):
        split_by_time({"day": [1, 2]}, "day", [2])
