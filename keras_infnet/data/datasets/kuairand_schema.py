"""Schema of KuaiRand-Pure."""

from collections.abc import Iterable

from keras_infnet.data.datasets.kuairand_files import USER_FEATURES
from keras_infnet.data.history.sequences import SequenceSpec
from keras_infnet.schema import (
    Behavior,
    Categorical,
    Numeric,
    Schema,
    Task,
)

__all__ = ["FEEDBACKS", "make_schema", "make_specs"]

#: Feedback columns of the log: labels of a row, flags of its past events.
FEEDBACKS = ("is_click", "is_like", "long_view")

# Columns of the request, equal for all candidate videos, also in statistics.
_SHARED = ("user_id", "tab", "hour")
_ATTRIBUTES = ("video_id", "author_id", "tag", "music_id", "duration_ms")
# Behavior, flag of its events, attributes besides those of the video.
_BEHAVIORS: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("watched", None, FEEDBACKS),
    ("long_view", "long_view", ()),
    ("like", "is_like", ()),
)


def make_schema(
    statistics: Iterable[Numeric],
    behaviors: bool,
    max_length: int,
    min_count: int,
) -> Schema:
    """Builds the schema."""
    fields: list[Categorical | Numeric] = [
        Categorical("user_id", min_count=min_count),
        Categorical("video_id", min_count=min_count),
        Categorical("author_id", min_count=min_count),
        Categorical("music_id", min_count=min_count),
        Categorical("tag", multivalued=True, max_values=4),
        Categorical("video_type", dtype="string"),
        Categorical("upload_type", dtype="string"),
        Categorical("music_type"),
        Categorical("tab"),
        Categorical("hour"),
        Numeric("duration_ms", binning="log"),
        Numeric("video_age_days"),
        *(Categorical(name, dtype) for name, dtype in USER_FEATURES.items()),
        *statistics,
    ]
    of_shared = (
        f"{name}_{what}"
        for name in _SHARED
        for what in ("count", *(f"{feedback}_rate" for feedback in FEEDBACKS))
    )
    shared = {*_SHARED, *USER_FEATURES, *of_shared}
    return Schema(
        fields=fields,
        tasks=[
            Task("click", label="is_click"),
            Task("like", label="is_like"),
            Task("long_view"),
        ],
        behaviors=[
            Behavior(
                name,
                (*_ATTRIBUTES, *(Categorical(flag) for flag in flags)),
                max_length=max_length,
                timed=True,
            )
            for name, _, flags in _BEHAVIORS
            if behaviors
        ],
        group="user_id",
        scenario="tab",
        request_time="time_ms",
        time_unit="ms",
        candidates=[part.name for part in fields if part.name not in shared],
    )


def make_specs(max_length: int) -> dict[str, SequenceSpec]:
    """Returns how the sequence of every behavior is built."""
    return {
        name: SequenceSpec((*_ATTRIBUTES, *flags), where, max_length)
        for name, where, flags in _BEHAVIORS
    }
