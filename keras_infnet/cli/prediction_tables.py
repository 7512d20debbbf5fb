"""Tables with predictions: the model that predicts, and column names."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras

from keras_infnet.data import Encoder, ListColumn, Table
from keras_infnet.data.batching.batches import Batches
from keras_infnet.serving import Servable, load_model_directory
from keras_infnet.serving.exporting.versions import versions

__all__ = ["is_export", "kept_columns", "prediction_name", "scorer"]


def is_export(folder: pathlib.Path) -> bool:
    """Tells whether a folder holds an export, or versions of one."""
    if (folder / "saved_model.pb").exists():
        return True
    return not (folder / "model.keras").exists() and bool(versions(folder))


def scorer(path: str, batch_size: int) -> Any:
    """Returns a function from raw rows to predictions, and an encoder."""
    folder = pathlib.Path(path)
    if not is_export(folder):
        model, encoder = load_model_directory(folder)

        def score(chunk: Table) -> Any:
            rows = Batches(chunk, encoder, batch_size, labels=False)
            on_tensorflow = keras.backend.backend() == "tensorflow"
            feed = rows.to_tf_data() if on_tensorflow else rows
            return model.predict(feed, verbose=0)

        return score, encoder
    servable = Servable.load(folder)
    return (
        lambda chunk: servable.predict_raw(chunk, batch_size)
    ), Encoder.load(servable.path)


def prediction_name(task: str, kept: Table) -> str:
    """Names the prediction column of a task, distinct from kept columns."""
    name = f"{task}_prediction" if task in kept else task
    if name in kept:
        raise ValueError(
            f"the table has columns {task!r} and {name!r} already. Name the "
            "columns to keep with --keep, without one of them."
        )
    return name


def kept_columns(
    chunk: Table, keep: Sequence[str] | None, suffix: str
) -> list[str]:
    """Names the columns of a table that a file of this format keeps."""
    if keep is not None:
        for name in keep:
            chunk[name]  # an unknown name raises with the nearest one
        return list(keep)
    return [
        name
        for name in chunk.columns
        if suffix == ".parquet" or not isinstance(chunk[name], ListColumn)
    ]
