"""What the commands of `keras-infnet` do."""

import argparse
import dataclasses
import json
import logging
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import pandas as pd

from keras_infnet import benchmarks
from keras_infnet.benchmarks.settings import choose_settings
from keras_infnet.calibration_options import find_calibration
from keras_infnet.console import progress, say, show_log
from keras_infnet.data import (
    ListColumn,
    Table,
    draft_schema,
    open_source,
    write_table,
)
from keras_infnet.evaluation import format_report, json_safe
from keras_infnet.evaluation.comparison import compare as compare_models
from keras_infnet.evaluation.comparison_report import (
    comparison_rows,
    format_comparison,
    write_comparison,
)
from keras_infnet.evaluation.comparison_settings import ComparisonSettings
from keras_infnet.evaluation.configuration import (
    ExperimentSettings,
    load_settings,
)
from keras_infnet.evaluation.experiment import (
    ExperimentData,
    Run,
    evaluate_model,
    fit_baseline,
    load_data,
    run_experiment,
)
from keras_infnet.evaluation.quickstart import quickstart_settings
from keras_infnet.evaluation.run_report import (
    BASELINE_TITLES,
    describe_run,
    describe_spread,
    mean_run,
)
from keras_infnet.evaluation.sweep_report import format_sweep
from keras_infnet.evaluation.sweep_settings import SweepSettings
from keras_infnet.evaluation.sweeping import sweep as sweep_model
from keras_infnet.files import write_text
from keras_infnet.prediction_tables import (
    kept_columns,
    prediction_name,
    scorer,
)
from keras_infnet.serving import (
    Servable,
    load_model_directory,
    save_model_directory,
)
from keras_infnet.serving import export as export_model
from keras_infnet.serving.server_files import label_versions

__all__ = [
    "bench",
    "compare",
    "evaluate",
    "export",
    "predict",
    "quickstart",
    "schema",
    "serving_config",
    "sweep",
    "train",
]

Results = Mapping[str, Mapping[str, float]]

# Options of `bench` that are no settings of a benchmark.
_NO_SETTINGS = ("backend", "benchmark", "command", "debug", "output", "quick")

# Loads the devices of the backend, with all that it has to say about them.
keras.ops.convert_to_tensor(0.0)


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
    settings = ExperimentSettings.from_dict(_config(options))
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


def compare(options: argparse.Namespace) -> None:
    """Compares models as a settings file says."""
    show_log()
    settings = ComparisonSettings.from_dict(_config(options))
    if options.ablate is not None:
        settings = settings.ablate(options.ablate)
    say(
        f"Comparing on {keras.backend.backend()}; runs are kept in "
        f"{settings.directory}."
    )
    comparison = compare_models(settings, say)
    rows = comparison_rows(comparison)
    say("\n" + format_comparison(comparison, rows, markdown=False))
    paths = write_comparison(comparison, rows)
    say("\nWrote " + ", ".join(map(str, paths)) + ".")


def sweep(options: argparse.Namespace) -> None:
    """Tries many settings of one model and ranks them."""
    show_log()
    config = _config(options)
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


def evaluate(options: argparse.Namespace) -> None:
    """Prints the exact metrics of a trained model on a table."""
    show_log()
    model, encoder = load_model_directory(options.model)
    source = open_source(_one(options.data), encoder.text_columns)
    results = evaluate_model(model, encoder, source, options.batch_size)
    say(format_report(results))
    if options.output is not None:
        _write_metrics(options.output, results)


def export(options: argparse.Namespace) -> None:
    """Writes the next version of a served model."""
    model, encoder = load_model_directory(options.model)
    examples = None
    if options.examples is not None:
        source = open_source(_one(options.examples), encoder.text_columns)
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
    )
    say(f"Exported: {version}")


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
    source = open_source(_one(options.data), encoder.text_columns)
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


def schema(options: argparse.Namespace) -> None:
    """Drafts a schema from the first rows of a table."""
    show_log()
    draft = draft_schema(
        _one(options.data),
        options.label,
        group=options.group,
        request_time=options.request_time,
        scenario=options.scenario,
        exclude=options.exclude,
    )
    if options.output is None:
        say(draft.to_json().rstrip())
        return
    draft.save(options.output)
    say(
        f"Wrote {options.output}. Edit it: remove what is not known before "
        "the answer, name tables that fields share, set weights."
    )


def bench(options: argparse.Namespace) -> None:
    """Runs a benchmark and writes what it found."""
    # Compilers have much to say about many models in a process.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    given = {
        name: value
        for name, value in vars(options).items()
        if name not in _NO_SETTINGS
    }
    settings = choose_settings(options.benchmark, options.quick, given)
    say(f"bench {options.benchmark} (Keras on {keras.backend.backend()})")
    benchmarks.run(settings, options.output, say)


def _config(options: argparse.Namespace) -> dict[str, Any]:
    """The settings of a file, with those of the command line in place."""
    config = load_settings(options.config)
    if options.data is not None:
        section = config.setdefault("data", {})
        section["options"] = {
            **section.get("options", {}),
            "path": options.data,
        }
    if options.directory is not None:
        config["directory"] = options.directory
    return config


def _baselines(
    settings: ExperimentSettings, data: ExperimentData, seed: int
) -> dict[str, Results]:
    results: dict[str, Results] = {}
    for name in settings.evaluation.baselines:
        say(f"Fitting the baseline {BASELINE_TITLES[name]!r}.")
        results[name] = fit_baseline(name, settings, data, seed)
    return results


def _epochs(run: Run) -> Sequence[Any]:
    return run.history.get("loss") or [None]


def _value(row: Table, name: str) -> Any:
    column = row[name]
    if isinstance(column, ListColumn):
        return column.to_lists()[0]
    return column.tolist()[0]


def _one(paths: Sequence[str]) -> Any:
    return paths[0] if len(paths) == 1 else list(paths)


def _write_metrics(path: str | os.PathLike[str], metrics: Results) -> None:
    write_text(path, json.dumps(json_safe(metrics), indent=2) + "\n")


def _history(directory: pathlib.Path) -> dict[str, list[float]]:
    """What the logs of all parts of an interrupted training say."""
    log = pd.read_csv(directory / "history.csv").drop(columns="epoch")
    return {str(name): log[name].tolist() for name in log}
