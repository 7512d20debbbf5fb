"""Runs a benchmark."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from keras_infnet.benchmarks import (
    feed,
    parity,
    serving,
    tokens,
    training,
    vocabulary,
)
from keras_infnet.benchmarks.report import Report
from keras_infnet.benchmarks.settings import (
    FeedSettings,
    ParitySettings,
    ServingSettings,
    Settings,
    TokensSettings,
    TrainingSettings,
    VocabularySettings,
)

__all__ = ["run"]

_MEASURES: Mapping[type[Settings], Callable[[Any, Any], Report]] = {
    TrainingSettings: training.measure,
    VocabularySettings: vocabulary.measure,
    TokensSettings: tokens.measure,
    FeedSettings: feed.measure,
    ServingSettings: serving.measure,
    ParitySettings: parity.measure,
}


def run(
    settings: Settings,
    output: str | os.PathLike[str] | None = "benchmarks",
    log: Callable[[str], None] = print,
) -> Report:
    """Runs a benchmark on the backend of this process.

    Args:
        settings: `TrainingSettings`, `VocabularySettings`, `TokensSettings`,
            `FeedSettings`, `ServingSettings` or `ParitySettings`, which
            select the benchmark.
        output: path or `None`. Directory for `{benchmark}-{backend}.json` and,
            with matplotlib, a plot; `None` writes nothing. Defaults to
            `"benchmarks"`.
        log: callable taking a string. Receives progress messages, the tables
            and the paths of the files. Defaults to `print`.

    Returns:
        `Report`: `text()` has the tables, `results` the numbers.

    Raises:
        ValueError: If `settings` belong to no benchmark.
        RuntimeError: If a process that measures memory fails.
    """
    if type(settings) not in _MEASURES:
        names = ", ".join(kind.__name__ for kind in _MEASURES)
        raise ValueError(
            f"`settings` must be one of {names}. Received: {settings!r}."
        )
    report = _MEASURES[type(settings)](settings, log)
    log(f"\n{report.text()}\n")
    if output is not None:
        report.save(output, log)
    return report
