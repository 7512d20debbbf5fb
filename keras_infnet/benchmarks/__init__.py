"""Benchmarks of speed and memory.

All cases of a benchmark take turns, round after round, in one process, and
ratios are taken within a round, since times of different minutes are not
comparable on a shared machine. Tables show median and quartiles over the
rounds, for ratios median and range.
"""

from keras_infnet.benchmarks.report import Report
from keras_infnet.benchmarks.run_benchmark import run
from keras_infnet.benchmarks.settings import (
    BENCHMARKS,
    FeedSettings,
    ParitySettings,
    ServingSettings,
    TokensSettings,
    TrainingSettings,
    VocabularySettings,
)

__all__ = [
    "BENCHMARKS",
    "FeedSettings",
    "ParitySettings",
    "Report",
    "ServingSettings",
    "TokensSettings",
    "TrainingSettings",
    "VocabularySettings",
    "run",
]
