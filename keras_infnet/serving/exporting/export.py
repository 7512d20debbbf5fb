"""A trained model to a version folder that a server loads."""

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Schema
from keras_infnet.schema.value_checks import check_count
from keras_infnet.serving.calibration.calibration import (
    CALIBRATION_FILE,
    Calibration,
)
from keras_infnet.serving.exporting.build_saved_model import building
from keras_infnet.serving.exporting.model_card import model_card
from keras_infnet.serving.exporting.parity_cases import collect_cases
from keras_infnet.serving.exporting.parity_check import (
    check_signatures,
    compare,
    run_isolated,
)
from keras_infnet.serving.exporting.python_process import check_can_export
from keras_infnet.serving.exporting.run_saved_model import WARMUP_FILE
from keras_infnet.serving.exporting.versions import new_version, publish
from keras_infnet.serving.exporting.warmup_requests import NO_WARMUP
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE, GraphOptions
from keras_infnet.serving.graph.signatures import check_names
from keras_infnet.serving.model_directory import (
    check_agreement,
    write_json,
    write_model_class,
)
from keras_infnet.utils.argument_checks import check_number

__all__ = ["export"]

_LOGGER = logging.getLogger(__name__)


def export(
    model: Any,
    encoder: Encoder | Schema,
    directory: str | os.PathLike[str],
    *,
    examples: Table | pd.DataFrame | None = None,
    metrics: Mapping[str, Any] | None = None,
    description: str | None = None,
    fusion: str | None = None,
    candidates: Sequence[str] | None = None,
    tolerance: float | None = None,
    calibration: Calibration | None = None,
    warmup_rows: Sequence[int] = (1, 64),
    compute_dtype: str | None = None,
    table_dtype: str = "float32",
    jit_compile: bool = False,
) -> Path:
    """Exports a model as the next version of a served model.

    The version folder, `directory/1` for the first, is a SavedModel with
    these signatures:

    - `serving_default` takes encoded ids, the inputs of the model;
    - `serve_raw` takes raw values as in the table; vocabularies, hashing,
      bins and time gaps are part of the graph. Numbers, lists, behaviors and
      times may be left out; they are missing then;
    - `serve_examples` takes the same as serialized `tf.train.Example`s (see
      `serialize_examples`) in one input, `inputs`, and returns `scores` of
      shape `(rows, tasks)` and `classes`, the names of the tasks: what the
      `Predict` and `Classify` calls of TensorFlow Serving understand;
    - `rank`, where there are candidates, takes one request: one row of what
      its candidates share, histories included, and a row a candidate of the
      rest. What is shared is computed once. It returns a vector a task and
      `score`, which `fusion` makes of them;
    - `rank_top_k` returns the `k` candidates of the highest score, best
      first, and their places in `index`.

    Rows and lengths of lists are free, an input of one row stands for all
    rows, and outputs are named for the tasks. The signatures for ranking take
    raw values, or encoded ids where there is no encoder.

    Beside the graph lie `model.keras`, `schema.json`, `vocabularies.npz`,
    `metrics.json`, `parity.json` and a model card, `README.md`.

    The graph is built by TensorFlow in a process of its own, whatever backend
    the model was trained with. A second process, in which this package
    cannot be imported, runs it, and what it answers is compared with
    `model.predict`. Only then the version appears, in one step. Whatever goes
    wrong before leaves `directory` as it was. Both processes wait two minutes
    for the next export before they end.

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
        fusion: string. What `score` is: an expression over tasks, see
            `Fusion`, `weighted_sum` and `product_of_powers`. `None` is the
            sum of the tasks. Defaults to `None`.
        candidates: list of names of the fields that tell what is on offer.
            `None` takes those of the schema; without any there are no
            signatures for ranking. Defaults to `None`.
        tolerance: float. Largest difference to `predict`, of values beyond 1
            as a part of the value. Models trained in mixed precision need
            more. `None` is 1e-5, and more where `compute_dtype` or
            `table_dtype` round. Defaults to `None`.
        calibration: `Calibration`, from `calibrate` or
            `Calibration.for_sampling`, or `None`. It becomes part of the
            graph, in every signature, and `calibration.json` lies in the
            folder. `model.keras` beside it stays as it is. Where a
            calibration is steep, an answer may differ by what `tolerance`
            becomes through it. Defaults to `None`.
        warmup_rows: list of integers. Sizes of the requests, one a size and
            signature, that a server runs before it serves the version. They
            need `tensorflow-serving-api`, the extra `client`; without it there
            are none, and the log says so. Defaults to `(1, 64)`.
        compute_dtype: string. `"bfloat16"` or `"float16"`, in which the
            layers of the graph compute, where accelerators are fast and
            processors mostly are not. `None` is that of the model. Defaults
            to `None`.
        table_dtype: string. `"float16"` or `"int8"`, with a scale a row, in
            which the graph stores the embedding tables: half or about a
            quarter of the size. `"float32"` stores them as they are. Defaults
            to `"float32"`.
        jit_compile: boolean. Whether XLA compiles the model in the graph,
            for a GPU. It compiles anew for every number of rows and length of
            history, so let the server batch to few sizes. Defaults to
            `False`.

    Returns:
        Path of the version folder.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If model and encoder do not belong together, `fusion`,
            `candidates` or a type cannot be used, or the exported model does
            not answer as `predict` does.
        RuntimeError: If TensorFlow cannot build or run the model.

    Example:

    ```python
    path = export(model, encoder, "saved_models/news", examples=test)
    ```
    """
    options = GraphOptions(compute_dtype, table_dtype, jit_compile)
    if tolerance is None:
        tolerance = options.tolerance
    check_number("tolerance", tolerance)
    check_can_export()
    encoder = _with_candidates(encoder, candidates)
    has_encoder = isinstance(encoder, Encoder)
    schema = encoder.schema if isinstance(encoder, Encoder) else encoder
    check_agreement(model, schema)
    check_names(schema)
    scorer = _scorer(schema, fusion)
    for rows in warmup_rows:
        check_count(rows, "`warmup_rows`")
    if calibration is not None:
        calibration.check(schema)
    if isinstance(examples, pd.DataFrame):
        examples = Table.from_pandas(examples)
    with new_version(directory) as folder:
        model.save(folder / "model.keras")
        write_model_class(folder, model)
        if isinstance(encoder, Encoder):
            encoder.save(folder)
        else:
            schema.save(folder / "schema.json")
        if scorer is not None:
            scorer.save(folder / "fusion.json")
        if calibration is not None:
            calibration.save(folder / CALIBRATION_FILE)
        if options != GraphOptions():
            options.save(folder / OPTIONS_FILE)
        with building(folder, warmup_rows):
            # In the meantime, for both take their time.
            book = collect_cases(encoder, examples, scorer)
            cases = book.predict(model, calibration, tolerance)
        if warmup_rows and not (folder / WARMUP_FILE).exists():
            _LOGGER.warning(NO_WARMUP)
        signatures, results = run_isolated(folder, cases)
        check_signatures(signatures, schema, has_encoder)
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
            fusion=scorer,
            calibration=calibration,
            options=options,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        return publish(folder, Path(directory))


def _with_candidates(
    encoder: Encoder | Schema, candidates: Sequence[str] | None
) -> Encoder | Schema:
    if candidates is None:
        return encoder
    if isinstance(encoder, Schema):
        return encoder.with_candidates(candidates)
    encoder = copy.copy(encoder)
    encoder.schema = encoder.schema.with_candidates(candidates)
    return encoder


def _scorer(schema: Schema, fusion: str | None) -> Fusion | None:
    if schema.candidates:
        tasks = schema.task_names
        return Fusion.sum_of(tasks) if fusion is None else Fusion(fusion, tasks)
    if fusion is not None:
        raise ValueError(
            "`fusion` orders candidates, and the schema has none. Name the "
            "fields that tell what is on offer with `candidates`. Received: "
            f"fusion={fusion!r}."
        )
    return None
