"""From tables to batches: readers, encoding, sequences, statistics."""

from keras_infnet.data.batching.batches import Batches, batches
from keras_infnet.data.drafts.draft_schema import draft_schema
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.encoding.hashing import hash_ids
from keras_infnet.data.history.point_in_time_statistics import (
    PointInTimeStatistics,
)
from keras_infnet.data.history.sequences import Sequences, SequenceSpec
from keras_infnet.data.sources.open_source import (
    Source,
    open_source,
    write_table,
)
from keras_infnet.data.sources.table import ListColumn, Table
from keras_infnet.data.splits import split_by_time

__all__ = [
    "Batches",
    "Encoder",
    "ListColumn",
    "PointInTimeStatistics",
    "SequenceSpec",
    "Sequences",
    "Source",
    "Table",
    "batches",
    "draft_schema",
    "hash_ids",
    "open_source",
    "split_by_time",
    "write_table",
]
