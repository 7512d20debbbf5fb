"""Files and days of KuaiRand-Pure that are refused."""

import pandas as pd
import pytest
from kuairand_examples import VIDEOS

from keras_infnet.data.datasets import kuairand


def test_where_to_get_it():
    with pytest.raises(ValueError, match="zenodo.org/records/10439422"):
        kuairand.load()
    with pytest.raises(FileNotFoundError, match="KuaiRand-Pure.tar.gz"):
        kuairand.load("no/such/folder")


def test_missing_files_are_named(full, part):
    (full / "data" / "user_features_pure.csv").unlink()
    (part / "history_until_apr24.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="lacks user_features_pure"):
        kuairand.load(full)
    with pytest.raises(
        FileNotFoundError, match="lacks log_standard_4_08.*history_until"
    ):
        kuairand.load(part)


def test_days_are_checked(full):
    with pytest.raises(ValueError, match="days of train must end before"):
        kuairand.load(full, train=(20220415, 20220503))
    with pytest.raises(ValueError, match="no rows from 20230101"):
        kuairand.load(full, test=(20230101, 20230102))
    with pytest.raises(ValueError, match="test must be the first and"):
        kuairand.load(full, test=(20220506, 20220505))
    with pytest.raises(ValueError, match="no day before 20200101"):
        kuairand.load(full, validation=(20200101, 20200102))


def test_broken_files_are_named(full):
    log = full / "data" / "log_standard_4_22_to_5_08_pure.csv"
    text = log.read_text()
    log.write_text(text.replace("long_view", "longview"))
    with pytest.raises(ValueError, match="pure.csv: unknown column 'long_v"):
        kuairand.load(full)
    log.write_text(text + "1,2,3")
    with pytest.raises(ValueError, match="4_22_to_5_08_pure.csv: .*columns"):
        kuairand.load(full)
    log.write_text(text.replace("\n1,10,", "\none,10,"))
    with pytest.raises(ValueError, match="4_22_to_5_08_pure.csv: .*one"):
        kuairand.load(full)
    log.write_text(text.replace("\n1,10,", "\n1,,"))
    with pytest.raises(ValueError, match="'video_id' has no value in row 0"):
        kuairand.load(full)
    log.write_text(text.splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="holds no rows"):
        kuairand.load(full)
    log.write_text(text)
    videos = full / "data" / "video_features_basic_pure.csv"
    videos.write_text(VIDEOS + VIDEOS.splitlines()[-1] + "\n")
    with pytest.raises(ValueError, match="every id once.*12 again in row 3"):
        kuairand.load(full)
    videos.write_text(VIDEOS.replace('"3,4"', '"3,x"'))
    with pytest.raises(ValueError, match="column 'tag'"):
        kuairand.load(full)


def test_broken_history_is_named(part):
    path = part / "history_until_apr24.parquet"
    history = pd.read_parquet(path)
    history["watch_like"] = [[1], [0]]
    history.to_parquet(path)
    with pytest.raises(ValueError, match="'watch_like'.*1 flags for 2"):
        kuairand.load(part)
    path.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="history_until_apr24.parquet"):
        kuairand.load(part)
