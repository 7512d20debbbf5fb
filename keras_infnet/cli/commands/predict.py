"""`keras-infnet predict`: writes a table with predictions."""

import argparse
import pathlib
from collections.abc import Iterator

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import one_or_list

__all__ = ["HELP", "add_arguments", "run"]

HELP = "add a column of predictions per task"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--model",
        required=True,
        help="directory of a model, or an exported saved_models/NAME",
    )
    parser.add_argument("--data", required=True, nargs="+", help="table")
    parser.add_argument(
        "--output", required=True, help=".parquet or .csv file to write"
    )
    parser.add_argument(
        "--keep",
        nargs="*",
        metavar="COLUMN",
        help="columns of the table to keep (default: all that fit the format)",
    )
    parser.add_argument("--batch-size", type=int, default=4096)


def run(options: argparse.Namespace) -> None:
    """Writes a table with one column of predictions per task."""
    suffix = pathlib.Path(options.output).suffix
    if suffix not in (".parquet", ".csv"):
        raise ValueError(
            "the output must be a .parquet or .csv file. "
            f"Received: {options.output}."
        )
    start_keras()

    from keras_infnet.cli.prediction_tables import (
        kept_columns,
        prediction_name,
        scorer,
    )
    from keras_infnet.data import Table, open_source, write_table

    show_log()
    score, encoder = scorer(options.model, options.batch_size)
    source = open_source(one_or_list(options.data), encoder.text_columns)
    written = 0

    def parts() -> Iterator[Table]:
        nonlocal written
        for chunk in source.chunks():
            predictions = score(chunk)
            written += len(chunk)
            kept = chunk.select(kept_columns(chunk, options.keep, suffix))
            yield kept.with_columns(
                {
                    prediction_name(task, kept): values[:, 0]
                    for task, values in predictions.items()
                }
            )

    write_table(parts(), options.output)
    say(f"Wrote {written:,} rows to {options.output}.")
