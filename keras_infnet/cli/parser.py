"""Commands of the command line, and what they take."""

import argparse
from typing import Any

from keras_infnet.schema import nearest_name
from keras_infnet.version import __version__

__all__ = ["BENCHMARKS", "make_parser"]

#: Names of the benchmarks.
BENCHMARKS = ("training", "vocabulary", "tokens", "feed", "serving", "parity")
_BACKENDS = ("tensorflow", "jax", "torch")


def make_parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line.

    Returns:
        `argparse.ArgumentParser`.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--backend",
        choices=_BACKENDS,
        help="backend of Keras (else the variable KERAS_BACKEND)",
    )
    common.add_argument(
        "--debug",
        action="store_true",
        help="show where in the code an error arose",
    )
    parser = argparse.ArgumentParser(
        prog="keras-infnet",
        description="Multi-task ranking models, from a table to a server.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text, parents=[common]
        )

    _add_quickstart(add("quickstart", "train, evaluate, export and score once"))
    _add_train(add("train", "train a model as a settings file says"))
    _add_compare(add("compare", "compare models on the same rows"))
    _add_sweep(add("sweep", "find settings of a model that suit the rows"))
    _add_evaluate(add("evaluate", "metrics of a model or an export on a table"))
    _add_export(add("export", "write a SavedModel, or an ONNX or LiteRT file"))
    _add_serving(add("serving-config", "write the settings of a server"))
    _add_predict(add("predict", "add a column of predictions a task"))
    _add_schema(add("schema", "draft a schema from a table, to be edited"))
    _add_bench(add("bench", "measure times, memory and growth"))
    return parser


def _add_quickstart(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rows", type=int, default=80_000, help="rows of synthetic data"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output",
        default="saved_models/quickstart",
        help="where the export goes (default: %(default)s)",
    )


def _add_config(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--config", required=True, help="TOML or JSON file of settings"
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="path of the data set, in place of data.options.path",
    )
    parser.add_argument(
        "--directory", help=f"where {what} go, in place of the settings'"
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    _add_config(parser, "runs, tables and the page")
    parser.add_argument(
        "--ablate",
        metavar="LABEL",
        help="compare this model of the settings with itself, parts of it "
        "taken out",
    )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    _add_config(parser, "trials and tables")
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="trials in all, in place of the settings'",
    )


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_config(parser, "models")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        help="one run a seed, in place of the settings'",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        required=True,
        help="directory of a model, or saved_models/NAME, whose graph is run",
    )
    parser.add_argument(
        "--data", required=True, nargs="+", help="table with labels"
    )
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--output", help="JSON file for the metrics")


def _add_export(parser: argparse.ArgumentParser) -> None:
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


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="saved_models/NAME")
    for label in ("stable", "canary"):
        parser.add_argument(
            f"--{label}",
            type=int,
            metavar="VERSION",
            help=f"version called {label!r}; without any label the newest "
            "version is served",
        )
    parser.add_argument(
        "--base",
        default="/models",
        help="where the server sees saved_models (default: %(default)s)",
    )


def _add_predict(parser: argparse.ArgumentParser) -> None:
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


def _add_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", help="table")
    parser.add_argument(
        "--label",
        required=True,
        action="append",
        help="column to predict; may be given several times",
    )
    parser.add_argument("--group", help="column of the user")
    parser.add_argument("--request-time", help="column of the request's time")
    parser.add_argument("--scenario", help="column of the scenario")
    parser.add_argument(
        "--exclude",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns that are not known before the answer, or of no use",
    )
    parser.add_argument(
        "--output", help="JSON file to write (default: the terminal)"
    )


def _benchmark(name: str) -> str:
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(
            nearest_name(name, BENCHMARKS, "benchmark")
        )
    return name


def _add_bench(parser: argparse.ArgumentParser) -> None:
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
    # What is not given has the default of the benchmark.
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
