"""Commands that train nothing."""

import argparse
import logging

import keras

from keras_infnet import benchmarks
from keras_infnet.benchmarks.settings import choose_settings
from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import one_or_list
from keras_infnet.data import draft_schema

__all__ = ["bench", "schema"]

# Options of `bench` that are no settings of a benchmark.
_NO_SETTINGS = ("backend", "benchmark", "command", "debug", "output", "quick")


def schema(options: argparse.Namespace) -> None:
    """Drafts a schema from the first rows of a table."""
    show_log()
    draft = draft_schema(
        one_or_list(options.data),
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
