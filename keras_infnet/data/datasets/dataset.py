"""Data sets split into training, validation and test rows."""

import dataclasses
from collections.abc import Mapping

from keras_infnet.data.sources.table import Table
from keras_infnet.schema import Schema

__all__ = ["Dataset"]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Raw tables and their schema.

    Args:
        schema: `Schema`, not fitted yet: its vocabularies and bins are learned
            on `train` by `keras_infnet.data.Encoder`.
        train: `Table`. The earliest rows.
        validation: `Table` or `None`. The rows after those of `train`; `None`
            if `train` includes them.
        test: `Table`. The latest rows.
        name: string.
        best: mapping of task name to AUC on `test` of the true
            probabilities, or `None` where they are unknown. Defaults to
            `None`.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema([Categorical("item")], [Task("click")])
    >>> rows = Table({"item": [1, 2], "click": [0, 1]})
    >>> Dataset(schema, rows, None, rows, name="tiny")
    Dataset(tiny: 2 train, 0 validation, 2 test rows)
    """

    schema: Schema
    train: Table
    validation: Table | None
    test: Table
    name: str
    best: Mapping[str, float] | None = None

    def __repr__(self) -> str:
        validation = 0 if self.validation is None else len(self.validation)
        return (
            f"Dataset({self.name}: {len(self.train)} train, {validation} "
            f"validation, {len(self.test)} test rows)"
        )
