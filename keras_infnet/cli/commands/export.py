"""`keras-infnet export`: writes a model for a server or another runtime."""

import argparse
import json
import pathlib
from typing import Any

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say
from keras_infnet.cli.options import one_or_list

__all__ = ["HELP", "add_arguments", "run"]

HELP = "write a SavedModel, or an ONNX or LiteRT file"

# Options of a SavedModel alone, with their defaults.
_SAVED_MODEL_OPTIONS = {
    "examples": None,
    "fusion": None,
    "candidates": None,
    "compute_dtype": None,
    "table_dtype": "float32",
    "jit_compile": False,
    "calibrate": None,
    "calibration_rows": None,
    "negative_rate": None,
    "rows_sampled": False,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--model", required=True, help="directory of a model")
    parser.add_argument(
        "--output",
        required=True,
        help="saved_models/NAME; gets a new version. NAME.onnx or NAME.tflite: "
        "a file for ONNX Runtime or LiteRT, encoded ids in",
    )
    parser.add_argument(
        "--examples", nargs="+", help="table of raw rows to check the export by"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="largest difference to the model; one trained in mixed precision "
        "needs more, about 0.05 (default: 1e-5, more where a type rounds)",
    )
    parser.add_argument(
        "--fusion",
        metavar="EXPRESSION",
        help="score of a candidate, such as 'click * (1 + 5 * like)' "
        "(default: the sum of the tasks)",
    )
    parser.add_argument(
        "--candidates",
        nargs="+",
        metavar="FIELD",
        help="fields that tell what is on offer (default: those of the schema)",
    )
    _add_graph(parser.add_argument_group("graph"))
    _add_calibration(parser.add_argument_group("calibration"))


def _add_graph(group: Any) -> None:
    group.add_argument(
        "--compute-dtype",
        choices=("bfloat16", "float16"),
        help="what layers compute in (default: as the model was trained)",
    )
    group.add_argument(
        "--table-dtype",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="what embedding tables are stored in (default: %(default)s)",
    )
    group.add_argument(
        "--jit-compile",
        action="store_true",
        help="let XLA compile the model, for a GPU",
    )


def _add_calibration(group: Any) -> None:
    group.add_argument(
        "--calibrate",
        nargs="+",
        metavar="METHOD",
        help="temperature, platt or isotonic for all binary tasks, or "
        "TASK=METHOD for some; fitted on the validation rows of the settings "
        "that the model was trained with",
    )
    group.add_argument(
        "--calibration-rows",
        nargs="+",
        metavar="TABLE",
        help="table with labels to fit on, in place of the validation rows",
    )
    group.add_argument(
        "--negative-rate",
        nargs="+",
        metavar="RATE",
        help="share of the negatives kept in training, to be undone, of all "
        "binary tasks without `given`, or TASK=RATE of some",
    )
    group.add_argument(
        "--rows-sampled",
        action="store_true",
        help="the rows fitted on lack negatives at the same rate",
    )


def run(options: argparse.Namespace) -> None:
    """Writes the next version of a served model, or one file."""
    from keras_infnet.serving.exporting.file_formats import is_model_file

    if is_model_file(options.output):
        _export_file(options)
        return
    start_keras()

    from keras_infnet.cli.calibration_options import find_calibration
    from keras_infnet.cli.graph_report import describe_graph
    from keras_infnet.data import open_source
    from keras_infnet.serving import check_can_export, load_model_directory
    from keras_infnet.serving import export as export_model
    from keras_infnet.serving.graph.graph_options import OPTIONS_FILE

    check_can_export()  # before the slow calibration
    model, encoder = load_model_directory(options.model)
    examples = None
    if options.examples is not None:
        source = open_source(
            one_or_list(options.examples), encoder.text_columns
        )
        examples = source.read_chunk(0)
    metrics_file = pathlib.Path(options.model) / "metrics.json"
    metrics = None
    if metrics_file.exists():
        metrics = json.loads(metrics_file.read_text("utf-8"))
    calibration = find_calibration(options, model, encoder)
    say("Exporting and checking the export in another process.")
    version = export_model(
        model,
        encoder,
        options.output,
        examples=examples,
        metrics=metrics,
        fusion=options.fusion,
        candidates=options.candidates,
        tolerance=options.tolerance,
        calibration=calibration,
        compute_dtype=options.compute_dtype,
        table_dtype=options.table_dtype,
        jit_compile=options.jit_compile,
    )
    say(f"Exported: {version}")
    if (version / OPTIONS_FILE).exists():
        say("Comparing with the same graph without options.")
        say(describe_graph(version, encoder, examples))


def _export_file(options: argparse.Namespace) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name, default in _SAVED_MODEL_OPTIONS.items()
        if getattr(options, name) != default
    ]
    if given:
        raise ValueError(
            f"{', '.join(given)}: only for a SavedModel. A file takes encoded "
            "ids and holds the model alone. Received: --output "
            f"{options.output}. Leave the options out, or name a folder."
        )
    start_keras()

    from keras_infnet.serving import export_file, load_model_directory

    model, encoder = load_model_directory(options.model)
    say("Exporting and running the file in another process.")
    tolerance = 1e-5 if options.tolerance is None else options.tolerance
    path = export_file(
        model, encoder.schema, options.output, tolerance=tolerance
    )
    say(f"Exported: {path}")
