"""Writes the SavedModel of a version folder, in a process of its own.

`python -m keras_infnet.serving.exporting.build_saved_model FOLDER [ROWS ...]`
reads `model.keras`,
`schema.json` and, where present, `vocabularies.npz`, `fusion.json`,
`calibration.json` and `graph_options.json` in `FOLDER`, and adds the SavedModel
and warm-up requests of `ROWS` rows. Whatever backend the model was trained
with, it is built anew under TensorFlow: the exporting process keeps its own
backend, its threads and its accelerator.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["build", "main"]


def build(
    folder: str | os.PathLike[str], warmup_rows: Sequence[int] = ()
) -> None:
    """Adds the SavedModel to a version folder.

    Args:
        folder: path of the folder.
        warmup_rows: list of integers. Rows of warm-up requests, each size for
            every signature. Defaults to `()`.

    Raises:
        RuntimeError: If Keras does not run on TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "a SavedModel is written under TensorFlow. Received: the backend "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )
    from keras_infnet.data.encoding.encoder import Encoder
    from keras_infnet.models.rewriting.compute_dtypes import in_compute_dtype
    from keras_infnet.schema import Schema
    from keras_infnet.serving.calibration.calibration import (
        CALIBRATION_FILE,
        Calibration,
    )
    from keras_infnet.serving.exporting.server_files import write_server_files
    from keras_infnet.serving.exporting.warmup_requests import check_warmup
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
    encoder = None
    if (folder / "vocabularies.npz").exists():
        encoder = Encoder.load(folder)
    fusion = None
    if (folder / "fusion.json").exists():
        fusion = Fusion.load(folder / "fusion.json", schema.task_names)
    calibration = None
    if (folder / CALIBRATION_FILE).exists():
        calibration = Calibration.load(folder / CALIBRATION_FILE)
    options = GraphOptions()
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
        write_server_files(folder, encoder or schema, batch_sizes=warmup_rows)
        check_warmup(folder)


def main() -> None:
    """Builds in the folder that the command line names."""
    folder, *rows = sys.argv[1:]
    build(folder, [int(count) for count in rows])


if __name__ == "__main__":
    main()
