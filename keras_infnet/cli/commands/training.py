"""Commands that train and evaluate one model."""

import argparse
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import keras
import pandas as pd

from keras_infnet.cli.console import progress, say, show_log
from keras_infnet.cli.graph_report import evaluate_export
from keras_infnet.cli.options import one_or_list, read_config
from keras_infnet.cli.prediction_tables import is_export
from keras_infnet.data import Encoder, ListColumn, Table, open_source
from keras_infnet.evaluation import format_report, json_safe
from keras_infnet.experiments.experiment import (
    ExperimentData,
    evaluate_model,
    fit_baseline,
    load_data,
    run_experiment,
)
from keras_infnet.experiments.quickstart import quickstart_settings
from keras_infnet.experiments.run_report import (
    BASELINE_TITLES,
    describe_run,
    describe_spread,
    mean_run,
)
from keras_infnet.experiments.settings import ExperimentSettings
from keras_infnet.serving import (
    Servable,
    load_model_directory,
    save_model_directory,
)
from keras_infnet.serving import export as export_model
from keras_infnet.utils.atomic_files import write_text

__all__ = ["evaluate", "quickstart", "train"]

Results = Mapping[str, Mapping[str, float]]


def quickstart(options: argparse.Namespace) -> None:
    """Trains on synthetic data, exports, and scores one raw row."""
    show_log()
    started = time.perf_counter()
    settings = ExperimentSettings.from_dict(
        quickstart_settings(options.rows, options.seed)
    )
    say(
        f"Simulating {options.rows:,} impressions with three tasks "
        f"(Keras on {keras.backend.backend()})."
    )
    data = load_data(settings.data)
    say("Training INFNet.")
    run = run_experiment(settings, data, options.seed, verbose=progress())
    baselines = _baselines(settings, data, options.seed)
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
        say(f"  {name} = {_value(row, name)}")
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


def train(options: argparse.Namespace) -> None:
    """Trains as a settings file says, one run a seed, and reports."""
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
            _write_metrics(target / "metrics.json", metrics)
            if len(seeds) > 1:
                say(format_report(metrics))
        runs.append(run)
    if runs[0].metrics is None:
        say("No test or validation rows: nothing to evaluate.")
        return
    baselines = _baselines(settings, data, seeds[0])
    if len(runs) > 1:
        say(f"\nMean of {len(runs)} seeds:")
        say(describe_spread(runs))
    say("\n" + describe_run(mean_run(runs), data, baselines))


def evaluate(options: argparse.Namespace) -> None:
    """Prints the exact metrics of a model or an export on a table."""
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
        _write_metrics(options.output, results)


def _baselines(
    settings: ExperimentSettings, data: ExperimentData, seed: int
) -> dict[str, Results]:
    results: dict[str, Results] = {}
    for name in settings.evaluation.baselines:
        say(f"Fitting the baseline {BASELINE_TITLES[name]!r}.")
        results[name] = fit_baseline(name, settings, data, seed)
    return results


def _value(row: Table, name: str) -> Any:
    column = row[name]
    if isinstance(column, ListColumn):
        return column.to_lists()[0]
    return column.tolist()[0]


def _write_metrics(path: str | os.PathLike[str], metrics: Results) -> None:
    write_text(path, json.dumps(json_safe(metrics), indent=2) + "\n")


def _history(directory: pathlib.Path) -> dict[str, list[float]]:
    """What the logs of all parts of an interrupted training say."""
    log = pd.read_csv(directory / "history.csv").drop(columns="epoch")
    return {str(name): log[name].tolist() for name in log}
