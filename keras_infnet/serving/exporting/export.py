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
from keras_infnet.serving.calibration.calibration import (
    CALIBRATION_FILE,
    Calibration,
)
from keras_infnet.serving.exporting.build_saved_model import building
from keras_infnet.serving.exporting.file_formats import check_can_export
from keras_infnet.serving.exporting.model_card import model_card
from keras_infnet.serving.exporting.parity_cases import predict_cases
from keras_infnet.serving.exporting.parity_check import (
    check_signatures,
    compare,
    run_isolated,
)
from keras_infnet.serving.exporting.run_export import WARMUP_FILE
from keras_infnet.serving.exporting.versions import new_version, publish
from keras_infnet.serving.exporting.warmup_requests import check_warmup_rows
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.graph_options import OPTIONS_FILE, GraphOptions
from keras_infnet.serving.graph.signatures import check_names
from keras_infnet.serving.model_directory import (
    check_agreement,
    write_json,
    write_model_class,
)
from keras_infnet.utils.argument_checks import check_number
from keras_infnet.utils.installation import install_command

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
      times are optional, and missing where a request omits them;
    - `serve_examples` takes the same as serialized `tf.train.Example`s (see
      `serialize_examples`) in one input, `inputs`, and returns `scores` of
      shape `(rows, tasks)` and `classes`, the names of the tasks, as the
      `Predict` and `Classify` calls of TensorFlow Serving expect;
    - `rank`, if there are candidates, takes one row of the inputs that the
      candidates of a request share, such as histories, and one row per
      candidate of the others. What depends on shared inputs only is computed
      once. It returns one vector per task and `score`, the `fusion` of the
      tasks;
    - `rank_top_k` returns the `k` candidates of the highest score, best
      first, and their positions in `index`.

    The numbers of rows and the lengths of lists are free, an input of one row
    is broadcast to all rows, and outputs are named for the tasks. The
    signatures for ranking take raw values, or encoded ids if there is no
    encoder.

    The folder also holds `model.keras`, `schema.json`, `vocabularies.npz`,
    `metrics.json`, `parity.json` and a model card, `README.md`.

    TensorFlow builds the graph in a separate process, whatever backend the
    model was trained with. A second process, which cannot import this
    package, runs it, and its answers are compared with `model.predict`. Only
    then the version appears, in one step; a failure before leaves `directory`
    as it was. Both processes wait two minutes for the next export before they
    end.

    Args:
        model: `keras.Model`, trained, with a dict of inputs named as
            `schema.inputs` and a dict of outputs, one per task.
        encoder: `keras_infnet.data.Encoder` of the training data. A fitted
            `Schema` in its place exports without `serve_raw` and
            `serve_examples`.
        directory: path of `saved_models/NAME`.
        examples: `keras_infnet.data.Table` or pandas frame of raw rows. The
            first 64 check the export, in addition to random rows. Defaults
            to `None`.
        metrics: mapping of names to figures, for `metrics.json` and the
            model card. Defaults to `None`.
        description: string. What the model is for and what it was trained
            on, for the model card. Defaults to `None`.
        fusion: string. Expression over tasks that gives `score`, see
            `Fusion`, `weighted_sum` and `product_of_powers`. `None` is the
            sum of the tasks. Defaults to `None`.
        candidates: list of names of the fields that describe a candidate.
            `None` takes those of the schema. Without candidate fields there
            are no signatures for ranking. Defaults to `None`.
        tolerance: float. Largest difference from `predict`: absolute up to a
            value of 1, relative above. Models trained in mixed precision need
            a larger one. `None` is 1e-5, and more if `compute_dtype` or
            `table_dtype` round. Defaults to `None`.
        calibration: `Calibration`, from `calibrate` or
            `Calibration.for_sampling`, or `None`. It becomes part of every
            signature and is saved as `calibration.json`; `model.keras` is not
            calibrated. Where a calibration is steep, the tolerance grows with
            its slope. Defaults to `None`.
        warmup_rows: list of integers. Numbers of rows of the requests that a
            server runs before it serves the version, each for every
            signature. They need `tensorflow-serving-api`, the extra `client`;
            without it none are written, with a warning. Defaults to
            `(1, 64)`.
        compute_dtype: string. `"bfloat16"` or `"float16"`, in which the
            layers of the graph compute: fast on accelerators, rarely on CPUs.
            `None` is that of the model. Defaults to `None`.
        table_dtype: string. `"float16"` or `"int8"`, with one scale per row,
            in which the graph stores the embedding tables: a half or about a
            quarter of the size. `"float32"` stores them unchanged. Defaults
            to `"float32"`.
        jit_compile: boolean. Whether XLA compiles the model in the graph,
            for a GPU. It compiles for every number of rows and length of
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
    check_warmup_rows(warmup_rows)
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
            # At the same time, since both take seconds.
            cases = predict_cases(
                model, encoder, examples, scorer, calibration, tolerance
            )
        if warmup_rows and not (folder / WARMUP_FILE).exists():
            _LOGGER.warning(
                "The export has no warm-up requests, because "
                "tensorflow-serving-api is not installed. Run: %s.",
                install_command("client"),
            )
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
            "fields that describe a candidate in `candidates`. Received: "
            f"fusion={fusion!r}."
        )
    return None
