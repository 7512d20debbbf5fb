"""Commands that serve what was trained."""

import argparse
import json
import pathlib
from collections.abc import Iterator

from keras_infnet.cli.calibration_options import find_calibration
from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.graph_report import describe_graph
from keras_infnet.cli.options import one_or_list
from keras_infnet.cli.prediction_tables import (
    kept_columns,
    prediction_name,
    scorer,
)
from keras_infnet.data import Table, open_source, write_table
from keras_infnet.serving import export as export_model
from keras_infnet.serving import export_file, load_model_directory
from keras_infnet.serving.exporting.file_formats import is_model_file
from keras_infnet.serving.exporting.server_files import label_versions
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE

__all__ = ["export", "predict", "serving_config"]

# What only a SavedModel can have, and what it is where nobody asks for it.
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


def export(options: argparse.Namespace) -> None:
    """Writes the next version of a served model, or one file."""
    if is_model_file(options.output):
        _export_file(options)
        return
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
    model, encoder = load_model_directory(options.model)
    say("Exporting and running the file in another process.")
    tolerance = 1e-5 if options.tolerance is None else options.tolerance
    path = export_file(
        model, encoder.schema, options.output, tolerance=tolerance
    )
    say(f"Exported: {path}")


def serving_config(options: argparse.Namespace) -> None:
    """Writes which versions a server serves, and under which labels."""
    labels = {"stable": options.stable, "canary": options.canary}
    given = {name: v for name, v in labels.items() if v is not None}
    for line in label_versions(options.model, given, options.base):
        say(line)


def predict(options: argparse.Namespace) -> None:
    """Writes a table with one column of predictions a task."""
    show_log()
    suffix = pathlib.Path(options.output).suffix
    if suffix not in (".parquet", ".csv"):
        raise ValueError(
            "the output must be a .parquet or .csv file. "
            f"Received: {options.output}."
        )
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
