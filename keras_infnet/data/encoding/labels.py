"""Labels and their weights."""

import numpy as np
import pandas as pd

from keras_infnet.data.encoding.cleaning import Place, numbers
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Schema, Task

__all__ = ["label_columns"]


def label_columns(schema: Schema, table: Table) -> dict[str, np.ndarray]:
    """Returns `"label:{task}"` and `"weight:{task}"` of all tasks, float32.

    A weight is 1 where the task counts: its label is observed (no NaN), and,
    with `given=`, the given task counts and its label is 1. Elsewhere it is
    0, and so is a label that is not observed.
    """
    raw = {task.name: _label(task, table) for task in schema.tasks}
    columns: dict[str, np.ndarray] = {}
    for task in schema.tasks:
        label = raw[task.name]
        counts = ~np.isnan(label)
        columns[f"label:{task.name}"] = np.where(counts, label, np.float32(0))
        given = task.given
        while given is not None:
            counts &= raw[given] == 1
            given = schema.task(given).given
        columns[f"weight:{task.name}"] = counts.astype(np.float32)
    return columns


def _label(task: Task, table: Table) -> np.ndarray:
    column = table[task.label_column]
    place = Place(task.label_column)
    if isinstance(column, ListColumn):
        raise place.error(
            f"the label of task {task.name!r} must be one number a row. "
            "Received lists."
        )
    if column.dtype.kind not in "biuf" and not (
        column.dtype.kind == "O"
        and pd.api.types.infer_dtype(column, skipna=True)
        not in ("string", "bytes", "mixed")
    ):
        first = column[0] if len(column) else None
        raise place.error(
            f"the label of task {task.name!r} must be a number. Received: "
            f"{first!r}. Convert the column.",
            0,
        )
    label = numbers(column, place)
    if task.kind == "binary":
        bad = ~(np.isnan(label) | (label == 0) | (label == 1))
        wanted = "0, 1 or NaN (not observed)"
    else:
        bad = np.isinf(label)
        wanted = "finite or NaN (not observed)"
    if bad.any():
        hint = (
            " For other numbers use Task(..., kind='regression')."
            if task.kind == "binary"
            else ""
        )
        raise place.first_error(
            bad,
            f"the label of {task.kind} task {task.name!r} must be {wanted}. "
            f"Received: {column[int(np.argmax(bad))]!r}.{hint}",
        )
    return label
