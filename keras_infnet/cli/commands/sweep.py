"""`keras-infnet sweep`: searches settings of one model."""

import argparse
import pathlib

from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import add_config_arguments, read_config

__all__ = ["HELP", "add_arguments", "run"]

HELP = "find settings of a model that suit the rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config_arguments(parser, "trials and tables")
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="trials in all, in place of the settings'",
    )


def run(options: argparse.Namespace) -> None:
    """Tries many settings of one model and ranks them."""
    import keras

    from keras_infnet.experiments.sweep.report import format_sweep
    from keras_infnet.experiments.sweep.run_sweep import sweep as sweep_model
    from keras_infnet.experiments.sweep.settings import SweepSettings

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
