"""`keras-infnet bench`: measures times, memory and growth."""

import argparse
import logging

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say
from keras_infnet.schema import nearest_name

__all__ = ["BENCHMARKS", "HELP", "add_arguments", "run"]

HELP = "measure times, memory and growth"

#: Names of the benchmarks.
BENCHMARKS = ("training", "vocabulary", "tokens", "feed", "serving", "parity")

# Options of `bench` that are no settings of a benchmark.
_NO_SETTINGS = ("backend", "benchmark", "command", "debug", "output", "quick")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "benchmark", type=_benchmark, help=", ".join(BENCHMARKS)
    )
    parser.add_argument(
        "--output",
        default="benchmarks",
        help="folder for numbers and plots (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it works"
    )
    # Options that are not given have the default of the benchmark.
    sizes = parser.add_argument_group("settings, where a benchmark has them")
    for name, text in (
        ("repeats", "rounds that count"),
        ("batch-size", "rows of a batch"),
        ("steps", "steps of a round of training"),
        ("fields", "vocabulary: fields, with a table each"),
        ("dim", "vocabulary, tokens: width of an embedding or token"),
        ("count", "tokens: fields, while events grow"),
        ("length", "tokens: events, while fields grow; serving: events"),
        ("claim-count", "tokens: fields of the comparison at one size"),
        ("claim-length", "tokens: events of the comparison at one size"),
    ):
        sizes.add_argument(f"--{name}", type=int, metavar="N", help=text)
    for name, text in (
        (
            "rows",
            "vocabulary: rows of all tables; feed, parity: rows of data",
        ),
        ("dense-rows", "vocabulary: rows for stock Keras"),
        ("lengths", "tokens: growing numbers of events"),
        ("counts", "tokens: growing numbers of fields"),
        ("candidates", "serving: candidates of a request"),
        ("threads", "serving: threads that TensorFlow may use"),
    ):
        sizes.add_argument(
            f"--{name}", type=int, nargs="+", metavar="N", help=text
        )
    for name, text in (
        ("zipf", "vocabulary: ids repeat a lot, by Zipf's law"),
        ("memory", "vocabulary, tokens: measure memory"),
        ("training", "tokens: forward and backward pass, not inference"),
    ):
        sizes.add_argument(
            f"--{name}", action=argparse.BooleanOptionalAction, help=text
        )
    sizes.add_argument(
        "--dtype",
        metavar="POLICY",
        help="training, vocabulary: float32 or mixed_bfloat16",
    )
    sizes.add_argument(
        "--data",
        metavar="PATH",
        help="training, feed: folder of KuaiRand-Pure, for its rows in place "
        "of random ones",
    )


def _benchmark(name: str) -> str:
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(
            nearest_name(name, BENCHMARKS, "benchmark")
        )
    return name


def run(options: argparse.Namespace) -> None:
    """Runs a benchmark and writes what it found."""
    backend = start_keras()

    from keras_infnet import benchmarks
    from keras_infnet.benchmarks.settings import choose_settings

    # Several models in one process make TensorFlow warn of retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    given = {
        name: value
        for name, value in vars(options).items()
        if name not in _NO_SETTINGS
    }
    settings = choose_settings(options.benchmark, options.quick, given)
    say(f"bench {options.benchmark} (Keras on {backend})")
    benchmarks.run(settings, options.output, say)
