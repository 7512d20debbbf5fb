"""A trained model to a version folder that a server loads."""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from keras_infnet.data.encoder import Encoder
from keras_infnet.data.table import Table
from keras_infnet.schema import Schema
from keras_infnet.serving.cases import Case, CaseBook
from keras_infnet.serving.examples import example_inputs, example_rows
from keras_infnet.serving.model_card import model_card
from keras_infnet.serving.model_directory import check_agreement, write_json
from keras_infnet.serving.processes import check_tensorflow, python
from keras_infnet.serving.verification import (
    check_signatures,
    compare,
    run_isolated,
)
from keras_infnet.serving.versions import new_version, publish

__all__ = ["export"]

_MAX_EXAMPLES = 64


def export(
    model: Any,
    encoder: Encoder | Schema,
    directory: str | os.PathLike[str],
    *,
    examples: Table | pd.DataFrame | None = None,
    metrics: Mapping[str, Any] | None = None,
    description: str | None = None,
    tolerance: float = 1e-5,
) -> Path:
    """Exports a model as the next version of a served model.

    The version folder, `directory/1` for the first, is a SavedModel with two
    signatures:

    - `serving_default` takes encoded ids, the inputs of the model;
    - `serve_raw` takes raw values as in the table; vocabularies, hashing,
      bins and time gaps are part of the graph. Numbers, lists, behaviours and
      times may be left out; they are missing then.

    Rows and lengths of lists are free, an input of one row stands for all
    rows, and outputs are named for the tasks. Beside it lie `model.keras`,
    `schema.json`, `vocabularies.npz`, `metrics.json`, `parity.json` and a
    model card, `README.md`.

    The graph is built by TensorFlow in a process of its own, whatever backend
    the model was trained with. A second process, in which this package
    cannot be imported, runs it, and what it answers is compared with
    `model.predict`. Only then the version appears, in one step. Whatever goes
    wrong before leaves `directory` as it was.

    Args:
        model: `keras.Model`, trained, with a dict of inputs named as
            `schema.inputs` and a dict of outputs, one a task.
        encoder: `keras_infnet.data.Encoder` of the training data. A fitted
            `Schema` in its place exports `serving_default` alone.
        directory: path of `saved_models/NAME`.
        examples: `keras_infnet.data.Table` or pandas frame of raw rows, by
            which the export is checked besides made-up rows; the first 64
            are used. Defaults to `None`.
        metrics: mapping of names to figures, for `metrics.json` and the
            model card. Defaults to `None`.
        description: string. What the model is for and what it was trained
            on, for the model card. Defaults to `None`.
        tolerance: float. Largest difference to `predict`, of values beyond 1
            as a part of the value. Models in mixed precision need more.
            Defaults to `1e-5`.

    Returns:
        Path of the version folder.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If model and encoder do not belong together, or the
            exported model does not answer as `predict` does.
        RuntimeError: If TensorFlow cannot build or run the model.

    Example:

    ```python
    path = export(model, encoder, "saved_models/news", examples=test)
    ```
    """
    check_tensorflow()
    schema = encoder if isinstance(encoder, Schema) else encoder.schema
    check_agreement(model, schema)
    if isinstance(examples, pd.DataFrame):
        examples = Table.from_pandas(examples)
    with new_version(directory) as folder:
        model.save(folder / "model.keras")
        if isinstance(encoder, Encoder):
            encoder.save(folder)
        else:
            schema.save(folder / "schema.json")
        with python(
            ["-m", "keras_infnet.serving.build", str(folder)],
            "building the SavedModel under TensorFlow",
        ):
            # In the meantime, for both take their time.
            cases = _cases(model, encoder, examples)
        signatures, results = run_isolated(folder, cases)
        check_signatures(signatures, schema, isinstance(encoder, Encoder))
        parity = {
            "tolerance": tolerance,
            "largest_difference": compare(cases, results, tolerance),
            "cases": [f"{case.signature}: {case.name}" for case in cases],
        }
        write_json(folder / "parity.json", parity)
        if metrics is not None:
            write_json(folder / "metrics.json", metrics)
        card = model_card(
            model,
            encoder,
            name=Path(directory).resolve().name,
            metrics=metrics,
            parity=parity,
            description=description,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        return publish(folder, Path(directory))


def _cases(
    model: Any, encoder: Encoder | Schema, examples: Table | None
) -> list[Case]:
    if isinstance(encoder, Schema):
        book = CaseBook(encoder)
        book.add_encoded("drawn ids", example_inputs(encoder))
        return book.predict(model)
    quiet = _quiet(encoder)
    book = CaseBook(encoder.schema)
    book.add_raw("made-up rows", example_rows(encoder), quiet)
    if examples is not None and len(examples):
        rows = examples.slice(0, min(_MAX_EXAMPLES, len(examples)))
        book.add_raw("examples", rows, quiet)
    return book.predict(model)


def _quiet(encoder: Encoder) -> Encoder:
    """A copy that neither reports nor counts the odd histories of a check."""
    quiet = copy.copy(encoder)
    quiet.truncated = {b.name: 0 for b in encoder.schema.behaviors}
    quiet.later = dict(quiet.truncated)
    return quiet
