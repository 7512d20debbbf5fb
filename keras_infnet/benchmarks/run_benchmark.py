"""Runs a benchmark."""

import importlib
import os
from collections.abc import Callable

from keras_infnet.benchmarks.report import Report
from keras_infnet.benchmarks.settings import BENCHMARKS, Settings

__all__ = ["run"]


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
    if type(settings) not in BENCHMARKS.values():
        names = ", ".join(kind.__name__ for kind in BENCHMARKS.values())
        raise ValueError(
            f"`settings` must be one of {names}. Received: {settings!r}."
        )
    # The module of a benchmark has its name.
    module = importlib.import_module(
        f"keras_infnet.benchmarks.{settings.benchmark}"
    )
    report: Report = module.measure(settings, log)
    log(f"\n{report.text()}\n")
    if output is not None:
        report.save(output, log)
    return report
