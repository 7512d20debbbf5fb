"""Commands that train many models."""

import argparse
import pathlib

import keras

from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import read_config
from keras_infnet.experiments.comparison.report import (
    comparison_rows,
    format_comparison,
    write_comparison,
)
from keras_infnet.experiments.comparison.run_comparison import (
    compare as compare_models,
)
from keras_infnet.experiments.comparison.settings import ComparisonSettings
from keras_infnet.experiments.sweep.report import format_sweep
from keras_infnet.experiments.sweep.run_sweep import sweep as sweep_model
from keras_infnet.experiments.sweep.settings import SweepSettings

__all__ = ["compare", "sweep"]


def compare(options: argparse.Namespace) -> None:
    """Compares models as a settings file says."""
    show_log()
    settings = ComparisonSettings.from_dict(read_config(options))
    if options.ablate is not None:
        settings = settings.ablate(options.ablate)
    say(
        f"Comparing on {keras.backend.backend()}; runs are kept in "
        f"{settings.directory}."
    )
    comparison = compare_models(settings, say)
    rows = comparison_rows(comparison)
    say("\n" + format_comparison(comparison, rows, markdown=False))
    paths = write_comparison(comparison, rows)
    say("\nWrote " + ", ".join(map(str, paths)) + ".")


def sweep(options: argparse.Namespace) -> None:
    """Tries many settings of one model and ranks them."""
    show_log()
    config = read_config(options)
    if options.trials is not None:
        section = config.get("sweep", {})
        if isinstance(section, dict):  # else the settings refuse it
            config["sweep"] = {**section, "trials": options.trials}
    settings = SweepSettings.from_dict(config)
    say(
        f"Sweeping on {keras.backend.backend()}: {settings.trials} trials, "
        f"{settings.tuner}; they are kept in {settings.directory}."
    )
    found = sweep_model(settings, say)
    say("\n" + format_sweep(found))
    folder = pathlib.Path(settings.directory)
    say(
        f"\nWrote sweep.json and sweep.csv to {folder}. The best settings:\n"
        f"  keras-infnet train --config {folder / 'best.json'}"
    )
