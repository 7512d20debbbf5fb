"""`keras-infnet quickstart`: training, export and scoring of simulated data."""

import argparse
import time
from typing import Any

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import (
    add_output_arguments,
    fit_output,
    say,
    show_log,
)

__all__ = ["HELP", "add_arguments", "run"]

HELP = "train, evaluate, export and score once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--rows", type=int, default=80_000, help="rows of synthetic data"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output",
        default="saved_models/quickstart",
        help="folder of the exported versions (default: %(default)s)",
    )
    add_output_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Trains on synthetic data, exports, and scores one raw row."""
    backend = start_keras(training=True)

    from keras_infnet.cli.metrics import fit_baselines
    from keras_infnet.experiments import load_data, run_experiment
    from keras_infnet.experiments.run_report import describe_run
    from keras_infnet.experiments.settings import ExperimentSettings
    from keras_infnet.serving import (
        Servable,
        check_can_export,
        save_model_directory,
    )
    from keras_infnet.serving import export as export_model

    check_can_export()  # before training
    show_log()
    started = time.perf_counter()
    settings = ExperimentSettings.from_dict(
        _settings(options.rows, options.seed)
    )
    say(
        f"Simulating {options.rows:,} impressions with three tasks "
        f"(Keras on {backend})."
    )
    data = load_data(settings.data)
    say("Training INFNet.")
    run = run_experiment(settings, data, options.seed, **fit_output(options))
    baselines = fit_baselines(settings, data, options.seed)
    say("\n" + describe_run(run, data, baselines))
    target = save_model_directory(
        run.model,
        data.encoder,
        settings.directory,
        metrics=run.metrics,
        history=run.history,
        config=settings.to_dict(),
    )
    say(f"\nTrained model: {target}")
    say("Exporting and checking the export in another process.")
    version = export_model(
        run.model,
        data.encoder,
        options.output,
        examples=data.test,
        metrics=run.metrics,
    )
    say(f"Exported: {version}")
    row = data.test.slice(0, 1)
    scores = Servable.load(version).predict_raw(row)
    say("\nOne impression, as raw values:")
    for name in data.encoder.schema.raw_inputs:
        say(f"  {name} = {_first_value(row[name])}")
    say("The exported model answers:")
    for task, score in scores.items():
        say(f"  {task} = {score[0, 0]:.4f}")
    say(
        f"\nDone in {time.perf_counter() - started:.0f} s. Next:\n"
        "  your own table:  keras-infnet schema TABLE --label COLUMN\n"
        "  predictions:     keras-infnet predict --model "
        f"{target} --data TABLE --output scores.parquet\n"
        f"  serving:         see {version / 'README.md'}"
    )


def _first_value(column: Any) -> Any:
    is_list = hasattr(column, "to_lists")
    return (column.to_lists() if is_list else column.tolist())[0]


def _settings(rows: int, seed: int) -> dict[str, Any]:
    """A small INFNet on the synthetic data, sized for two cores."""
    return {
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": rows, "seed": seed},
        },
        "model": {"name": "INFNet", "preset": "small"},
        "training": {
            "batch_size": 256,
            "epochs": 4,
            "seeds": [seed],
            "learning_rate": 0.002,
            "embedding_learning_rate": 0.1,
            "warmup_steps": 50,
            "ema_momentum": 0.98,
        },
        "evaluation": {
            "baselines": ["logistic_regression", "gradient_boosting"]
        },
        "directory": "runs/quickstart",
    }
