"""`keras-infnet train`: trains and evaluates from a settings file."""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import (
    add_output_arguments,
    fit_output,
    say,
    show_log,
)
from keras_infnet.cli.options import add_config_arguments, read_config

__all__ = ["HELP", "add_arguments", "run"]

HELP = "train a model from a settings file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config_arguments(parser, "train", "the trained models")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        help="one run per seed, in place of those of the settings",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="train again where the directory holds a finished run",
    )
    add_output_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Trains from a settings file, one run per seed, and prints metrics."""
    from keras_infnet.experiments.settings import ExperimentSettings

    settings = ExperimentSettings.from_dict(read_config(options))
    if options.seeds is not None:
        training = dataclasses.replace(
            settings.training, seeds=tuple(options.seeds)
        )
        settings = dataclasses.replace(settings, training=training)
    targets = _directories(settings.directory, settings.training.seeds)
    if not options.overwrite:
        _check_unused(list(targets.values()))
    backend = start_keras(training=True)

    from keras_infnet.cli.metrics import fit_baselines, write_metrics
    from keras_infnet.evaluation import format_report
    from keras_infnet.experiments.experiment import (
        evaluate_model,
        run_experiment,
    )
    from keras_infnet.experiments.experiment_data import load_data
    from keras_infnet.experiments.run_report import (
        describe_run,
        describe_spread,
        mean_run,
    )
    from keras_infnet.serving import save_model_directory

    show_log()
    say(f"Loading data (Keras on {backend}).")
    data = load_data(settings.data)
    schema = data.encoder.schema
    say(
        f"{schema}: {len(schema.tables)} tables, "
        f"{sum(map(schema.table_size, schema.tables)):,} rows."
    )
    runs = []
    for seed, target in targets.items():
        say(f"Training, seed {seed}.")
        run = run_experiment(
            settings,
            data,
            seed,
            directory=target,
            evaluated=False,
            **fit_output(options),
        )
        # Saved before the evaluation, which may fail.
        save_model_directory(
            run.model,
            data.encoder,
            target,
            history=_history(target),
            config={**settings.to_dict(), "seed": seed},
        )
        say(f"Saved {target}: {run.seconds:.0f} s of training.")
        if data.evaluated is not None:
            metrics = evaluate_model(
                run.model,
                data.encoder,
                data.evaluated,
                settings.evaluation.batch_size,
            )
            run = dataclasses.replace(run, metrics=metrics)
            write_metrics(target / "metrics.json", metrics)
            if len(targets) > 1:
                say(format_report(metrics))
        runs.append(run)
    if runs[0].metrics is None:
        say("No test or validation rows: nothing to evaluate.")
        return
    baselines = fit_baselines(settings, data, settings.training.seeds[0])
    if len(runs) > 1:
        say(f"\nMean of {len(runs)} seeds:")
        say(describe_spread(runs))
    say("\n" + describe_run(mean_run(runs), data, baselines))


def _directories(
    directory: str, seeds: Sequence[int]
) -> dict[int, pathlib.Path]:
    """Returns the directory of each seed's run."""
    folder = pathlib.Path(directory)
    if len(seeds) == 1:
        return {seeds[0]: folder}
    return {seed: folder / f"seed_{seed}" for seed in seeds}


def _check_unused(folders: Sequence[pathlib.Path]) -> None:
    """Raises if a folder holds a finished run, unless one was interrupted."""
    if any((folder / "resume.npz").exists() for folder in folders):
        return
    for folder in folders:
        if (folder / "model.keras").exists():
            raise ValueError(
                f"{folder} holds a trained model. Give --overwrite to replace "
                "it, or another --directory."
            )


def _history(directory: pathlib.Path) -> dict[str, list[float]]:
    """Reads the logs of all parts of a training, interrupted or not."""
    import pandas as pd

    log = pd.read_csv(directory / "history.csv").drop(columns="epoch")
    return {str(name): log[name].tolist() for name in log}
