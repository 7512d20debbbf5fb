"""`keras-infnet sweep`: searches settings of one model."""

import argparse
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import (
    add_output_arguments,
    fit_output,
    say,
    show_log,
)
from keras_infnet.cli.options import (
    add_config_arguments,
    read_config,
    set_value,
)

__all__ = ["HELP", "add_arguments", "run"]

HELP = "search the best settings of one model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config_arguments(parser, "sweep", "trials and tables")
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="total number of trials, in place of that of the settings",
    )
    add_output_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Tries many settings of one model and ranks them."""
    from keras_infnet.experiments.tuning.settings import SweepSettings

    config = read_config(options)
    if options.trials is not None:
        set_value(config, ("sweep", "trials"), options.trials)
    # Ranges need the model's class: all else is checked before Keras starts.
    SweepSettings.from_dict(_without_space(config))
    backend = start_keras(training=True)
    settings = SweepSettings.from_dict(config)

    from keras_infnet.experiments.tuning.report import format_sweep
    from keras_infnet.experiments.tuning.run_sweep import sweep as sweep_model

    show_log()
    say(
        f"Sweeping on {backend}: {settings.trials} trials, "
        f"{settings.tuner}; they are kept in {settings.directory}."
    )
    found = sweep_model(settings, say, **fit_output(options))
    say("\n" + format_sweep(found))
    folder = pathlib.Path(settings.directory)
    say(
        f"\nWrote sweep.json and sweep.csv to {folder}. The best settings:\n"
        f"  keras-infnet train --config {folder / 'best.json'}"
    )


def _without_space(config: Mapping[str, Any]) -> dict[str, Any]:
    section = config.get("sweep")
    if not isinstance(section, dict):
        return dict(config)
    return {
        **config,
        "sweep": {k: v for k, v in section.items() if k != "space"},
    }
