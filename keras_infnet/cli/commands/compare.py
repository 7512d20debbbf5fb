"""`keras-infnet compare`: trains and compares several models."""

import argparse

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import (
    add_output_arguments,
    fit_output,
    say,
    show_log,
)
from keras_infnet.cli.options import add_config_arguments, read_config

__all__ = ["HELP", "add_arguments", "run"]

HELP = "compare models on the same rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config_arguments(parser, "compare", "runs, tables and the page")
    parser.add_argument(
        "--ablate",
        metavar="LABEL",
        help="compare this model of the settings with variants that lack one "
        "of its parts",
    )
    add_output_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Compares the models of a settings file."""
    from keras_infnet.experiments.comparison.settings import ComparisonSettings

    settings = ComparisonSettings.from_dict(read_config(options))
    backend = start_keras(training=True)

    from keras_infnet.experiments.comparison.report import (
        comparison_rows,
        format_comparison,
        write_comparison,
    )
    from keras_infnet.experiments.comparison.run_comparison import (
        compare as compare_models,
    )

    show_log()
    if options.ablate is not None:
        settings = settings.ablate(options.ablate)
    say(
        f"Comparing on {backend}; finished runs are kept in "
        f"{settings.directory}."
    )
    comparison = compare_models(settings, say, **fit_output(options))
    rows = comparison_rows(comparison)
    say("\n" + format_comparison(comparison, rows, markdown=False))
    paths = write_comparison(comparison, rows)
    say("\nWrote " + ", ".join(map(str, paths)) + ".")
