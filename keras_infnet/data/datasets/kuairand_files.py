"""Readers of the files of KuaiRand-Pure."""

import csv
import os
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from keras_infnet.data.encoding.cleaning import Place
from keras_infnet.data.encoding.nesting import split_text
from keras_infnet.data.history.event_columns import MISSING, integers
from keras_infnet.data.sources.open_source import open_source
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.schema import Categorical, nearest_name

__all__ = ["USER_FEATURES", "KuaiRandFiles", "positions", "where_to_get_it"]

_FIRST_LOG = "log_standard_4_08_to_4_21_pure.csv"
_SECOND_LOG = "log_standard_4_22_to_5_08_pure.csv"
_USERS = "user_features_pure.csv"
_VIDEOS = "video_features_basic_pure.csv"
_HISTORY = "history_until_apr24.parquet"

# Nothing else of the log is read: what a user did with this very row (play
# time, comments, ...) is known only after the prediction.
_LOG_COLUMNS = (
    "user_id",
    "video_id",
    "date",
    "time_ms",
    "is_click",
    "is_like",
    "long_view",
    "duration_ms",
    "tab",
)
_USER_TEXT = (
    "user_active_degree",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
)
_USER_IDS = (
    "is_live_streamer",
    "is_video_author",
    *(f"onehot_feat{i}" for i in range(18)),
)
#: Features of a user with the dtype of their values.
USER_FEATURES = {
    **dict.fromkeys(_USER_TEXT, "string"),
    **dict.fromkeys(_USER_IDS, "int"),
}
_VIDEO_COLUMNS = {
    "video_id": pa.int64(),
    "author_id": pa.int64(),
    "video_type": pa.string(),
    "upload_dt": pa.date32(),
    "upload_type": pa.string(),
    "video_duration": pa.float64(),
    "music_id": pa.int64(),
    "music_type": pa.float64(),
    "tag": pa.string(),
}
_HISTORY_COLUMNS = (
    "user_id",
    "last_time_ms",
    "watch_seq",
    "watch_like",
    "watch_long_view",
    "like_seq",
    "long_view_seq",
)


def where_to_get_it() -> str:
    """Returns how to get the data."""
    return (
        "Download KuaiRand-Pure.tar.gz (md5 "
        "0820331067a3784d9691136f772b35a7) from "
        "https://zenodo.org/records/10439422, unpack it, and give the path "
        "of the unpacked folder. Nothing is downloaded for you."
    )


class KuaiRandFiles:
    """Finds and reads the files of KuaiRand-Pure."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        root = pathlib.Path(path)
        if not root.is_dir():
            raise FileNotFoundError(
                f"{root} is not a folder. {where_to_get_it()}"
            )
        data = root / "data"
        self.folder = data if data.is_dir() else root
        self._history: pathlib.Path | None = None
        missing = [
            name
            for name in (_SECOND_LOG, _USERS, _VIDEOS)
            if not (self.folder / name).is_file()
        ]
        self._logs = [_FIRST_LOG, _SECOND_LOG]
        if not (self.folder / _FIRST_LOG).is_file():
            # A part of the data begins later, with a file of histories.
            beside = [self.folder / _HISTORY, self.folder.parent / _HISTORY]
            self._history = next((p for p in beside if p.is_file()), None)
            self._logs = [_SECOND_LOG]
            if self._history is None:
                missing.append(f"{_FIRST_LOG} (or {_HISTORY})")
        if missing:
            raise FileNotFoundError(
                f"{self.folder} lacks {', '.join(missing)}. {where_to_get_it()}"
            )

    def log(self) -> Table:
        """Reads the exposures in time order, without duplicates."""
        types = dict.fromkeys(_LOG_COLUMNS, pa.int64())
        log = Table.concat(
            [_read_csv(self.folder / name, types) for name in self._logs]
        )
        key = log.select(["user_id", "video_id", "time_ms"]).to_pandas()
        log = log.filter(~key.duplicated().to_numpy())
        log = log.take(np.argsort(log["time_ms"], kind="stable"))
        small = ("is_click", "is_like", "long_view")
        return log.with_columns(
            {
                **{name: log[name].astype(np.int8) for name in small},
                "duration_ms": log["duration_ms"].astype(np.float32),
            }
        )

    def users(self) -> Table:
        """Reads the features of the users; the last row is "unknown"."""
        types = {"user_id": pa.int64()}
        types |= dict.fromkeys(_USER_TEXT, pa.string())
        types |= dict.fromkeys(_USER_IDS, pa.float64())
        users = _read_csv(self.folder / _USERS, types)
        _check_unique(users["user_id"], "user_id", self.folder / _USERS)
        users = users.with_columns(
            {
                name: integers(users[name], name, _USERS).astype(np.int32)
                for name in _USER_IDS
            }
        )
        return _with_unknown(users)

    def videos(self) -> Table:
        """Reads the features of the videos; the last row is "unknown"."""
        path = self.folder / _VIDEOS
        videos = _read_csv(path, _VIDEO_COLUMNS)
        _check_unique(videos["video_id"], "video_id", path)
        part = Categorical("tag", multivalued=True)
        try:
            tags = split_text(videos["tag"], part, Place("tag"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        music_type = integers(videos["music_type"], "music_type", _VIDEOS)
        uploaded = videos["upload_dt"].astype("datetime64[D]")
        days = uploaded.astype(np.int64).astype(np.float32)
        days[np.isnat(uploaded)] = np.nan
        videos = videos.with_columns(
            {
                "tag": tags,
                "music_type": music_type.astype(np.int32),
                "upload_day": days,
                "duration_ms": videos["video_duration"].astype(np.float32),
            }
        )
        return _with_unknown(videos.without(["upload_dt", "video_duration"]))

    def history(self) -> Table | None:
        """Reads the events before the log; `None` if the log is complete.

        One row per user, with `last_time_ms` and lists of videos and flags.
        """
        if self._history is None:
            return None
        history = open_source(self._history).read(_HISTORY_COLUMNS)
        _check_unique(history["user_id"], "user_id", self._history)
        lengths = history["watch_seq"].lengths
        for name in ("watch_like", "watch_long_view"):
            wrong = history[name].lengths != lengths
            if wrong.any():
                row = int(np.argmax(wrong))
                raise ValueError(
                    f"{self._history}: column {name!r} must have a flag for "
                    f"every video of 'watch_seq'. Received: "
                    f"{history[name].lengths[row]} flags for {lengths[row]} "
                    f"videos in row {row}."
                )
        return history


def _read_csv(path: pathlib.Path, types: dict[str, pa.DataType]) -> Table:
    with open(path, encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    for name in types:
        if name not in header:
            raise ValueError(f"{path}: {nearest_name(name, header, 'column')}")
    options = pa.csv.ConvertOptions(
        include_columns=list(types),
        column_types=types,
        strings_can_be_null=True,
        # Text such as "NA" or "null" is a value; only "" is missing.
        null_values=["", "nan", "NaN"],
    )
    try:
        read = pa.csv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {error}") from error
    if not read.num_rows:
        raise ValueError(f"{path} holds no rows.")
    for name, column in types.items():
        if column == pa.int64() and read[name].null_count:
            row = int(np.argmax(pc.is_null(read[name]).to_numpy()))
            raise ValueError(
                f"{path}: column {name!r} has no value in row {row}."
            )
    return Table.from_arrow(read)


def _with_unknown(table: Table) -> Table:
    """Appends a row in which every value is missing."""
    missing: dict[str, object] = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column, ListColumn):
            missing[name] = ListColumn(column.values, [0], [0])
        elif column.dtype.kind == "O":
            missing[name] = np.array([None], dtype=object)
        else:
            nothing = np.nan if column.dtype.kind == "f" else MISSING
            missing[name] = np.array([nothing], dtype=column.dtype)
    return Table.concat([table, Table(missing)])


def _check_unique(
    ids: np.ndarray, name: str, path: str | os.PathLike[str]
) -> None:
    repeated = pd.Series(ids).duplicated().to_numpy()
    if repeated.any():
        row = int(np.argmax(repeated))
        raise ValueError(
            f"{os.fspath(path)}: column {name!r} must name every id once. "
            f"Received: {ids[row]} again in row {row}."
        )


def positions(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the positions of ids among distinct ids; -1 where unknown."""
    return pd.Index(known).get_indexer(pd.Index(wanted)).astype(np.int64)
