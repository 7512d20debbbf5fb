"""Predicts with saved models in a process of its own, on any backend.

    KERAS_BACKEND=jax python predict_elsewhere.py DIRECTORY

For every `NAME.keras` it reads the inputs `NAME.npz` and writes the
predictions `NAME.BACKEND.npz`.
"""

import pathlib
import sys

import keras
import numpy as np

from keras_infnet.testing.check_ranker import predictions


def main(directory):
    backend = keras.backend.backend()
    for path in sorted(pathlib.Path(directory).glob("*.keras")):
        model = keras.saving.load_model(path)
        with np.load(path.with_suffix(".npz")) as batch:
            arrays = predictions(model, dict(batch))
        np.savez(path.with_suffix(f".{backend}.npz"), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
