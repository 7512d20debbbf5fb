"""Writes the SavedModel of a version folder, in a process of its own.

`python -m keras_infnet.serving.build FOLDER` reads `model.keras`,
`schema.json` and, where present, `vocabularies.npz`, `fusion.json` and
`calibration.json` in `FOLDER`, and adds the SavedModel. Whatever backend the
model was trained with, it is built anew under TensorFlow: the exporting
process keeps its own backend, its threads and its accelerator.
"""

import os
import sys
from pathlib import Path

__all__ = ["build", "main"]


def build(folder: str | os.PathLike[str]) -> None:
    """Adds the SavedModel to a version folder.

    Args:
        folder: path of the folder.

    Raises:
        RuntimeError: If Keras does not run on TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "a SavedModel is written under TensorFlow. Received: the backend "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )
    from keras_infnet.data.encoder import Encoder
    from keras_infnet.schema import Schema
    from keras_infnet.serving.calibration import (
        CALIBRATION_FILE,
        Calibration,
    )
    from keras_infnet.serving.fusion import Fusion
    from keras_infnet.serving.model_directory import load_model
    from keras_infnet.serving.saved_graph import save_graph

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
    save_graph(model, schema, encoder, str(folder), fusion, calibration)


def main() -> None:
    """Builds in the folder that the command line names."""
    build(sys.argv[1])


if __name__ == "__main__":
    main()
