"""Writes the SavedModel of a version folder, in a separate process.

Whatever backend a model was trained with, it is rebuilt under TensorFlow: the
exporting process keeps its own backend, its threads and its accelerator.
"""

import contextlib
import gc
import os
from collections.abc import Sequence
from pathlib import Path

from keras_infnet.serving.exporting.run_export import serve_jobs
from keras_infnet.serving.exporting.worker_process import (
    command_of,
    run_in_worker,
)

__all__ = ["build", "building", "main"]


def building(
    folder: str | os.PathLike[str],
    warmup_rows: Sequence[int] = (),
    what: str = "building the SavedModel under TensorFlow",
) -> contextlib.AbstractContextManager[None]:
    """Runs `build` in a worker process during the `with` block."""
    job = [str(Path(folder).resolve()), [int(rows) for rows in warmup_rows]]
    return run_in_worker(command_of(__name__), job, what)


def build(
    folder: str | os.PathLike[str], warmup_rows: Sequence[int] = ()
) -> None:
    """Adds the SavedModel and warm-up requests to a version folder.

    Reads `model.keras`, `schema.json` and, where present, `vocabularies.npz`,
    `fusion.json`, `calibration.json` and `graph_options.json` in `folder`.
    Every signature gets a warm-up request of each number of `warmup_rows`.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "a SavedModel is written under TensorFlow. Received: the backend "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )
    from keras_infnet.data.encoding.encoder import Encoder
    from keras_infnet.models.graph_rewrites.compute_precision import (
        in_compute_dtype,
    )
    from keras_infnet.schema import Schema
    from keras_infnet.serving.calibration.calibration import (
        CALIBRATION_FILE,
        Calibration,
    )
    from keras_infnet.serving.exporting.warmup_requests import (
        example_requests,
        write_warmup,
    )
    from keras_infnet.serving.graph.fusion import Fusion
    from keras_infnet.serving.graph.graph_options import (
        OPTIONS_FILE,
        GraphOptions,
    )
    from keras_infnet.serving.graph.saved_graph import save_graph
    from keras_infnet.serving.graph.table_precision import reading_rounded
    from keras_infnet.serving.model_directory import load_model

    folder = Path(folder)
    model = load_model(folder / "model.keras")
    schema = Schema.load(folder / "schema.json")
    encoder, fusion, calibration = None, None, None
    options = GraphOptions()
    if (folder / "vocabularies.npz").exists():
        encoder = Encoder.load(folder)
    if (folder / "fusion.json").exists():
        fusion = Fusion.load(folder / "fusion.json", schema.task_names)
    if (folder / CALIBRATION_FILE).exists():
        calibration = Calibration.load(folder / CALIBRATION_FILE)
    if (folder / OPTIONS_FILE).exists():
        options = GraphOptions.load(folder / OPTIONS_FILE)
    if options.compute_dtype is not None:
        model = in_compute_dtype(model, options.compute_dtype)
    with reading_rounded(model, options.table_dtype):
        save_graph(
            model,
            schema,
            encoder,
            str(folder),
            fusion,
            calibration,
            options.jit_compile,
        )
    if warmup_rows:
        name = folder.resolve().parent.name
        requests = example_requests(encoder or schema)
        write_warmup(folder, name, requests, warmup_rows)


def main() -> None:
    """Builds in the folders that arrive on standard input."""
    import keras

    def handle(folder: str, warmup_rows: list[int]) -> None:
        build(folder, warmup_rows)
        # Free the model before the process waits for the next one.
        keras.backend.clear_session()
        gc.collect()

    serve_jobs(handle)
