"""Rows per second of the input pipeline and of training."""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras

from keras_infnet.benchmarks.report import (
    Chart,
    Report,
    SectionTable,
    quotient,
    rate,
)
from keras_infnet.benchmarks.settings import FeedSettings
from keras_infnet.benchmarks.step_timing import prepared, step_seconds
from keras_infnet.benchmarks.timing import Case, interleave, ratios, spread
from keras_infnet.benchmarks.training import infnet_sizes
from keras_infnet.data import Batches, Encoder, datasets, write_table
from keras_infnet.models import INFNet
from keras_infnet.training import compile_ranker

__all__ = ["measure"]

_FEED = "Parquet to batches"
_SHUFFLED = "Parquet to batches, shuffled"
_STEP = "INFNet hub, training"


def measure(settings: FeedSettings, log: Callable[[str], None]) -> Report:
    """Measures rows per second of reading a file and of training."""
    log("preparing the file")
    if settings.data is None:
        users = 50 if settings.tiny else 2_000
        data = datasets.synthetic.load(users, num_rows=settings.rows)
        title = "a simulated feed"
    else:
        data = datasets.kuairand.load(settings.data, validation=None)
        title = "KuaiRand-Pure"
    encoder = Encoder(data.schema).fit(data.train)
    rows = len(data.train)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "train.parquet"
        write_table(data.train, path)
        megabytes = path.stat().st_size / 1e6
        times = interleave(
            [
                Case(_FEED, _feed(path, encoder, settings, False)),
                Case(_SHUFFLED, _feed(path, encoder, settings, True)),
                Case(_STEP, _training(path, encoder, settings)),
            ],
            settings.repeats,
            log,
        )
    rates = {
        name: spread([1 / value for value in values])
        for name, values in times.items()
    }
    # Time per row of training over that of the feed.
    over = {name: ratios(times, _STEP, name) for name in times}
    table = SectionTable(
        f"Rows per second of {title}: {rows:,} rows, {megabytes:,.1f} MB, "
        f"batch {settings.batch_size:,}",
        ["what", "rows/s", "quartiles", "over training", "range"],
        [[name, *rate(rates[name]), *quotient(over[name])] for name in times],
    )
    middle, ends = quotient(over[_FEED])
    tensorflow = keras.backend.backend() == "tensorflow"
    form = "a `tf.data.Dataset`" if tensorflow else "NumPy arrays"
    return Report(
        settings,
        [table],
        [
            f"The input pipeline gives {middle} times ({ends}) the rows per "
            f"second of training. Batches are {form}."
        ],
        {
            "rows": rows,
            "megabytes": megabytes,
            "seconds_a_row": times,
            "rows_a_second": {
                name: dataclasses.asdict(found) for name, found in rates.items()
            },
            "feed_over_training": dataclasses.asdict(over[_FEED]),
            "shuffled_over_training": dataclasses.asdict(over[_SHUFFLED]),
        },
        [Chart(table.title, "rows per second", bars=rates)],
    )


def _feed(
    path: pathlib.Path, encoder: Encoder, settings: FeedSettings, shuffle: bool
) -> Callable[[], float]:
    """Reads and encodes the whole file, which the page cache holds."""

    def run() -> float:
        started = time.perf_counter()
        data = Batches(path, encoder, settings.batch_size, shuffle=shuffle)
        tensorflow = keras.backend.backend() == "tensorflow"
        batches = data.to_tf_data() if tensorflow else data.pass_once()
        for _ in batches:
            pass
        return (time.perf_counter() - started) / data.num_rows

    return run


def _training(
    path: pathlib.Path, encoder: Encoder, settings: FeedSettings
) -> Callable[[], float]:
    """Trains on the first batches of the file, held in memory."""
    source = Batches(path, encoder, settings.batch_size, drop_last=True)
    if len(source) < settings.steps:
        raise ValueError(
            f"`steps` must be at most {len(source)}, the number of batches of "
            f"{settings.batch_size:,} rows. Received: {settings.steps}."
        )
    batches: list[Any] = [source[index] for index in range(settings.steps)]
    data = prepared(batches)
    model = compile_ranker(
        INFNet(encoder.schema, "hub", **infnet_sizes(settings.tiny))
    )
    return lambda: (
        step_seconds(model, data, settings.steps) / settings.batch_size
    )
