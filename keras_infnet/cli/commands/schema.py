"""`keras-infnet schema`: drafts a schema from a table."""

import argparse

from keras_infnet.cli.backend import start_keras
from keras_infnet.cli.console import say, show_log
from keras_infnet.cli.options import one_or_list

__all__ = ["HELP", "add_arguments", "run"]

HELP = "draft a schema from a table, to be edited"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
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


def run(options: argparse.Namespace) -> None:
    """Drafts a schema from the first rows of a table."""
    start_keras()

    from keras_infnet.data import draft_schema

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
