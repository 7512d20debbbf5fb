"""`keras-infnet train`: trains and evaluates as a settings file says."""

import argparse
import dataclasses
import pathlib

from keras_infnet.cli.console import progress, say, show_log
from keras_infnet.cli.options import add_config_arguments, read_config

__all__ = ["HELP", "add_arguments", "run"]

HELP = "train a model as a settings file says"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config_arguments(parser, "models")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        help="one run a seed, in place of the settings'",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Trains as a settings file says, one run a seed, and reports."""
    import keras

    from keras_infnet.cli.metrics import fit_baselines, write_metrics
    from keras_infnet.evaluation import format_report
    from keras_infnet.experiments import (
        evaluate_model,
        load_data,
        run_experiment,
    )
    from keras_infnet.experiments.run_report import (
        describe_run,
        describe_spread,
        mean_run,
    )
    from keras_infnet.experiments.settings import ExperimentSettings
    from keras_infnet.serving import save_model_directory

    show_log()
    settings = ExperimentSettings.from_dict(read_config(options))
    if options.seeds is not None:
        training = dataclasses.replace(settings.training, seeds=options.seeds)
        settings = dataclasses.replace(settings, training=training)
    seeds = settings.training.seeds
    say(f"Loading data (Keras on {keras.backend.backend()}).")
    data = load_data(settings.data)
    schema = data.encoder.schema
    say(
        f"{schema}: {len(schema.tables)} tables, "
        f"{sum(map(schema.table_size, schema.tables)):,} rows."
    )
    runs = []
    for seed in seeds:
        target = pathlib.Path(settings.directory)
        if len(seeds) > 1:
            target = target / f"seed_{seed}"
        say(f"Training, seed {seed}.")
        run = run_experiment(
            settings,
            data,
            seed,
            directory=target,
            verbose=0 if options.quiet else progress(),
            evaluated=False,
        )
        # Saved before anything can go wrong with the rows to evaluate.
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
            if len(seeds) > 1:
                say(format_report(metrics))
        runs.append(run)
    if runs[0].metrics is None:
        say("No test or validation rows: nothing to evaluate.")
        return
    baselines = fit_baselines(settings, data, seeds[0])
    if len(runs) > 1:
        say(f"\nMean of {len(runs)} seeds:")
        say(describe_spread(runs))
    say("\n" + describe_run(mean_run(runs), data, baselines))


def _history(directory: pathlib.Path) -> dict[str, list[float]]:
    """Reads the logs of all parts of a training, interrupted or not."""
    import pandas as pd

    log = pd.read_csv(directory / "history.csv").drop(columns="epoch")
    return {str(name): log[name].tolist() for name in log}
