"""Feature matrices of the baselines, from raw and encoded tables."""

from typing import Any

import numpy as np

from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Field, Numeric, Schema

__all__ = ["MAX_CATEGORIES", "dense_features", "id_features"]

#: Maximum number of categories of histogram gradient boosting.
MAX_CATEGORIES = 255


def id_features(schema: Schema, encoded: Table, max_events: int) -> Any:
    """Builds one indicator column per id: a bag of words for a linear model.

    Every field has as many columns as its table has rows. Single-valued fields
    set the column of their id to 1, also for the unknown id 0. Multi-valued
    fields and attributes of behaviors distribute 1 over their known ids.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     [Categorical("item_id"), Categorical("tag", multivalued=True)],
    ...     [Task("click")],
    ...     table_sizes={"item_id": 3, "tag": 3},
    ... )
    >>> encoded = Table({
    ...     "item_id": np.array([2, 0], "int32"),
    ...     "tag": ListColumn.from_lists([[1, 2], [1, 0]]),
    ... })
    >>> id_features(schema, encoded, max_events=10).toarray()
    array([[0. , 0. , 1. , 0. , 0.5, 0.5],
           [1. , 0. , 0. , 0. , 1. , 0. ]], dtype=float32)
    """
    from scipy import sparse  # type: ignore[import-untyped]

    blocks = []
    for name, part, behavior in schema.columns():
        ids = encoded[name]
        if behavior is not None:
            ids = ids.newest(max_events)
        blocks.append(_block(ids, schema.table_size(part.table_name)))
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def _block(ids: Any, size: int) -> Any:
    """Builds the indicator columns of one field or attribute."""
    from scipy import sparse

    if not isinstance(ids, ListColumn):
        ends = np.arange(len(ids) + 1)
        parts = (np.ones(len(ids), np.float32), ids, ends)
        return sparse.csr_matrix(parts, shape=(len(ids), size))
    lengths = ids.lengths
    values = ids.flatten()
    rows = np.repeat(np.arange(len(ids)), lengths)
    if isinstance(values, ListColumn):  # events with several ids each
        rows = np.repeat(rows, values.lengths)
        values = values.flatten()
    values = np.asarray(values)
    rows, values = rows[values > 0], values[values > 0]
    counts = np.bincount(rows, minlength=len(ids))
    ends = np.concatenate([[0], np.cumsum(counts)])
    shares = (1 / counts[rows]).astype(np.float32)
    matrix = sparse.csr_matrix((shares, values, ends), shape=(len(ids), size))
    matrix.sum_duplicates()
    return matrix


def dense_features(
    schema: Schema, table: Table, encoded: Table, use_ids: bool
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Builds a dense matrix for trees.

    - `Numeric` fields: raw values, NaN where missing;
    - fields with at most 255 ids: categories; for multi-valued fields the
      first id and the number of ids;
    - with `use_ids`, larger fields: ids as numbers, ordered by frequency;
    - behaviors: number of events and, if timed, the gap between the request
      and the newest event.

    Returns the matrix, the names of its columns, and which are categories.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     [Categorical("item_id"), Numeric("price")],
    ...     [Task("click")],
    ...     table_sizes={"item_id": 3},
    ... )
    >>> raw = Table({"item_id": [70, 50], "price": [1.5, np.nan]})
    >>> encoded = Table({"item_id": [2, 1], "price": [1, 0]})
    >>> dense_features(schema, raw, encoded, use_ids=False)
    (array([[2. , 1.5],
           [1. , nan]], dtype=float32), ['item_id', 'price'],
     array([ True, False]))
    """
    columns: list[tuple[str, np.ndarray, bool]] = []
    for part in schema.fields:
        if isinstance(part, Numeric):
            columns.append((part.name, _numbers(table[part.name]), False))
        else:
            columns += _categories(schema, part, encoded[part.name], use_ids)
    for behavior in schema.behaviors:
        events = encoded[behavior.columns[0]]
        name = f"{behavior.name}_length"
        columns.append((name, events.lengths, False))
        if behavior.timed:
            gap = behavior.gap_input
            columns.append((gap, _newest(encoded[gap]), False))
    if not columns:
        columns.append(("constant", np.zeros(len(table)), False))
    matrix = np.stack([c.astype(np.float32) for _, c, _ in columns], axis=1)
    names = [name for name, _, _ in columns]
    return matrix, names, np.array([flag for _, _, flag in columns])


def _categories(
    schema: Schema, part: Field, ids: Any, use_ids: bool
) -> list[tuple[str, np.ndarray, bool]]:
    few = schema.table_size(part.table_name) <= MAX_CATEGORIES
    columns = []
    if isinstance(ids, ListColumn):
        columns.append((f"{part.name}_count", ids.lengths, False))
        ids = ids.first(1).pad(1)[:, 0]
    if few or use_ids:
        columns.append((part.name, ids, few))
    return columns


def _numbers(values: Any) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    limit = float(np.finfo(np.float32).max)
    return np.clip(numbers, -limit, limit)  # NaN stays


def _newest(gaps: ListColumn) -> np.ndarray:
    newest = gaps.newest(1).pad(1)[:, 0].astype(np.float32)
    newest[newest == 0] = np.nan  # no event, or an unknown time
    return newest
