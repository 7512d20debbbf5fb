"""A tiny KuaiRand-Pure in both of its layouts."""

import numpy as np
import pandas as pd
import pytest
from kuairand_examples import DAY, SECOND, START, write_features, write_log


@pytest.fixture
def full(tmp_path):
    folder = tmp_path / "KuaiRand-Pure" / "data"
    folder.mkdir(parents=True)
    write_features(folder)
    write_log(
        folder / "log_standard_4_08_to_4_21_pure.csv",
        [(1, 12, -10, 1, 1, 1), (3, 10, -9, 0, 0, 0)],
    )
    write_log(folder / "log_standard_4_22_to_5_08_pure.csv", SECOND)
    # Must not be read.
    (folder / "log_random_4_22_to_5_08_pure.csv").write_text("broken")
    (folder / "video_features_statistic_pure.csv").write_text("broken")
    return folder.parent


@pytest.fixture
def part(tmp_path):
    folder = tmp_path / "part" / "data"
    folder.mkdir(parents=True)
    write_features(folder)
    write_log(folder / "log_standard_4_22_to_5_08_pure.csv", SECOND)
    pd.DataFrame(
        {
            "user_id": np.array([1, 5], np.int32),
            "history_len": [2, 1],
            # The first row of user 1 is not later than this.
            "last_time_ms": [START + DAY // 2, START - DAY],
            "watch_seq": [[12, 10], [11]],
            "watch_like": [[1, 0], [0]],
            "watch_long_view": [[0, 1], [1]],
            "like_seq": [[11, 12], []],
            "long_view_seq": [[10], [11]],
        }
    ).to_parquet(folder.parent / "history_until_apr24.parquet")
    return folder.parent
