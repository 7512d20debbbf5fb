"""Arrays of a batch, padded from encoded columns."""

from typing import Any

import numpy as np

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Behavior, Schema

__all__ = ["input_arrays", "input_shapes", "task_arrays"]


def input_shapes(schema: Schema) -> dict[str, tuple[int, ...]]:
    """Returns the shape of a row of every input, sequences at full length."""
    shapes: dict[str, tuple[int, ...]] = {}
    lengths = {
        name: behavior.max_length
        for behavior in schema.behaviors
        for name in behavior.inputs
    }
    for name, spec in schema.inputs.items():
        shapes[name] = tuple(
            lengths[name] if axis is None else axis for axis in spec.shape
        )
    return shapes


def input_arrays(schema: Schema, table: Table) -> dict[str, np.ndarray]:
    """Pads encoded columns to the writeable arrays of `schema.inputs`."""
    shapes = input_shapes(schema)
    arrays: dict[str, np.ndarray] = {}
    for part in schema.fields:
        column = table[part.name]
        if isinstance(column, ListColumn):
            column = column.pad(shapes[part.name])
        arrays[part.name] = np.array(column, np.int32)
    for behavior in schema.behaviors:
        arrays.update(_behavior_arrays(behavior, table, shapes))
    return {name: arrays[name] for name in shapes}


def task_arrays(
    schema: Schema, table: Table, what: str
) -> dict[str, np.ndarray]:
    """Returns `"label"` or `"weight"` of every task, float32."""
    return {
        name: np.array(table[f"{what}:{name}"], np.float32)
        for name in schema.task_names
    }


def _behavior_arrays(
    behavior: Behavior,
    table: Table,
    shapes: dict[str, tuple[int, ...]],
) -> dict[str, np.ndarray]:
    mask_name = behavior.mask_input
    names = [name for name in behavior.inputs if name != mask_name]
    arrays: dict[str, np.ndarray] = {}
    shared: ListColumn | None = None
    cells: Any = None
    for name in names:
        column = table[name].newest(behavior.max_length)
        # Attributes mostly share rows: their padding is computed once.
        if shared is None or not _same_rows(column, shared):
            if shared is not None and (column.lengths != shared.lengths).any():
                raise ValueError(
                    f"the encoded columns {names[0]!r} and {name!r} of one "
                    "behavior differ in length."
                )
            cells, shared = column.cells(behavior.max_length), column
        padded = column.fill_cells(cells, shapes[name])
        arrays[name] = padded.astype(np.int32, copy=False)
    arrays[mask_name] = cells[1]
    return arrays


def _same_rows(one: ListColumn, other: ListColumn) -> bool:
    return np.array_equal(one.starts, other.starts) and np.array_equal(
        one.ends, other.ends
    )
