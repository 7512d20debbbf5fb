"""Benchmarks: one question each, compared in one process run.

Everything that is compared runs in turn, round after round, and ratios are
taken within a round: on a shared machine absolute times of different minutes
do not compare. Tables show the median and the quartiles of the rounds, and of
ratios the median and the whole range.
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
