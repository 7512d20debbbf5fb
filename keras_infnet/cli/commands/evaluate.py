"""`keras-infnet evaluate`: exact metrics on a table."""

import argparse
import pathlib

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import one_or_list

__all__ = ["HELP", "add_arguments", "run"]

HELP = "metrics of a model or an export on a table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--model",
        required=True,
        help="directory of a model, or saved_models/NAME, whose graph is run",
    )
    parser.add_argument(
        "--data", required=True, nargs="+", help="table with labels"
    )
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--output", help="JSON file for the metrics")


def run(options: argparse.Namespace) -> None:
    """Prints the exact metrics of a model or an export on a table."""
    start_keras()

    from keras_infnet.cli.metrics import evaluate_export, write_metrics
    from keras_infnet.cli.prediction_tables import is_export
    from keras_infnet.data import Encoder, open_source
    from keras_infnet.evaluation import format_report
    from keras_infnet.experiments.experiment import evaluate_model
    from keras_infnet.serving import Servable, load_model_directory

    show_log()
    folder = pathlib.Path(options.model)
    if is_export(folder):
        servable = Servable.load(folder)
        encoder = Encoder.load(servable.path)
        source = open_source(one_or_list(options.data), encoder.text_columns)
        results = evaluate_export(servable, encoder, source, options.batch_size)
    else:
        model, encoder = load_model_directory(folder)
        source = open_source(one_or_list(options.data), encoder.text_columns)
        results = evaluate_model(model, encoder, source, options.batch_size)
    say(format_report(results))
    if options.output is not None:
        write_metrics(options.output, results)
