"""Tables with predictions: who predicts, and what the columns are called."""

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
    """Tells an exported model, or a folder of its versions, from a trained one.

    Args:
        folder: path.

    Returns:
        Boolean. Of a folder that is neither it is `False`: the error for a
        trained model says more.
    """
    if (folder / "saved_model.pb").exists():
        return True
    return not (folder / "model.keras").exists() and bool(versions(folder))


def scorer(path: str, batch_size: int) -> Any:
    """Returns a function from raw rows to predictions, and an encoder.

    Args:
        path: string. Directory of a model, or an exported one.
        batch_size: integer. Rows predicted at once.

    Returns:
        A function of a `Table` that returns arrays by task, and the
        `Encoder`.
    """
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
    """Names the column of predictions of a task beside columns that stay.

    Args:
        task: string.
        kept: `Table`.

    Returns:
        String.

    Raises:
        ValueError: If the table has every name already.
    """
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
    """Names the columns of a table that stay in a file of a format.

    Args:
        chunk: `Table`.
        keep: names, or `None` for all that fit.
        suffix: string. `".parquet"` or `".csv"`.

    Returns:
        List of names.
    """
    if keep is not None:
        for name in keep:
            chunk[name]  # an unknown name raises with the nearest one
        return list(keep)
    return [
        name
        for name in chunk.columns
        if suffix == ".parquet" or not isinstance(chunk[name], ListColumn)
    ]
