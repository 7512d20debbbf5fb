"""All embedding tables as one."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.embedding.large_table_initializer import (
    drawn_in_pieces,
)
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["StackedEmbedding"]


@export("keras_infnet.layers.StackedEmbedding")
class StackedEmbedding(BaseLayer):
    """Embeds the ids of a row from one table.

    The tables of all features lie below each other in one variable; a
    feature's ids are shifted by the offset of its table. Features that share
    a table share a range of rows. Row 0 of a range stands for "missing or
    unknown" and is trained like any other.

    A multi-valued feature is the mean over its non-zero ids, or row 0 where
    it has none.

    Args:
        table_sizes: mapping of table name to rows, row 0 included.
        groups: mapping of group name to a list of `(input, table)` pairs.
            The inputs of a group have the same shape, up to the axis of the
            values of a multi-valued feature, which is the last one.
        multivalued: names of the inputs with an axis of values. Defaults to
            `()`.
        dim: integer. Width of an embedding. Defaults to `64`.
        row_multiple: integer. The table is padded to a multiple of this many
            rows, so that it can be sharded by rows. Defaults to `8`.
        embeddings_initializer: initializer of the table. Defaults to
            `"uniform"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        inputs: dict of integer tensors of shape `(batch, ...)`, ids from 0 to
            the size of their table, exclusive.

    Returns:
        Dict with one tensor a group: `(batch, ..., inputs, dim)`, the inputs
        stacked in the order of the group.

    Raises:
        ValueError: If a group names a table that does not exist, or a size is
            not a positive integer.

    Example:

    >>> import numpy as np
    >>> embed = StackedEmbedding(
    ...     table_sizes={"item": 10, "tab": 3},
    ...     groups={
    ...         "fields": [("item", "item"), ("tab", "tab")],
    ...         "clicks": [("clicks_item", "item")],
    ...     },
    ...     dim=4,
    ... )
    >>> outputs = embed({
    ...     "item": np.array([3, 9]),
    ...     "tab": np.array([0, 2]),
    ...     "clicks_item": np.array([[1, 2, 0], [3, 0, 0]]),
    ... })
    >>> tuple(outputs["fields"].shape), tuple(outputs["clicks"].shape)
    ((2, 2, 4), (2, 3, 1, 4))
    """

    def __init__(
        self,
        table_sizes: Mapping[str, int],
        groups: Mapping[str, Sequence[tuple[str, str]]],
        multivalued: Sequence[str] = (),
        dim: int = 64,
        row_multiple: int = 8,
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(dim=dim, row_multiple=row_multiple)
        self.table_sizes = dict(table_sizes)
        self.groups = {
            group: [(name, table) for name, table in members]
            for group, members in groups.items()
        }
        self.multivalued = tuple(multivalued)
        self.dim = dim
        self.row_multiple = row_multiple
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer
        )
        self._reader: Callable[[list[Any]], list[Any]] | None = None
        self.offsets: dict[str, int] = {}
        rows = 0
        for table, size in self.table_sizes.items():
            self.offsets[table] = rows
            rows += size
        # On PyTorch, Keras builds models with ids of 1, which a last table of
        # one row does not have.
        if list(self.table_sizes.values())[-1:] == [1]:
            rows += 1
        self.num_rows = -(-rows // row_multiple) * row_multiple
        for members in self.groups.values():
            for name, table in members:
                if table not in self.offsets:
                    raise ValueError(
                        f"input {name!r} of `groups` reads table {table!r}, "
                        "which is not in `table_sizes`. Received: "
                        f"table_sizes={self.table_sizes}."
                    )

    def build(self, inputs_shape: Any) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_rows, self.dim),
            initializer=drawn_in_pieces(self.embeddings_initializer),
            # Casting would copy the whole table in every step: the gathered
            # rows are cast instead.
            autocast=False,
        )
        # Optimisers of `keras_infnet.optimizers` update it by rows.
        self.embeddings.row_sparse = True

    def call(self, inputs: Any) -> Any:
        rows = self.rows(inputs)
        read = self._reader or self.read
        vectors = iter(read(rows))
        return {
            group: self._combine(inputs, members, vectors)
            for group, members in self.groups.items()
        }

    def shared_rows(self, names: Collection[str]) -> tuple[set[str], set[str]]:
        """Tells what may have one row where other inputs have many.

        Args:
            names: names of inputs of one row.

        Returns:
            The inputs that may keep it, those of groups that have no other,
            and the groups that have one row then.
        """
        apart = {
            name
            for members in self.groups.values()
            if not all(name in names for name, _ in members)
            for name, _ in members
        }
        alone = {
            group
            for group, members in self.groups.items()
            if not apart.intersection(name for name, _ in members)
        }
        return set(names) - apart, alone

    def rows(self, inputs: Any) -> list[Any]:
        """Returns the numbers of the rows that a batch reads.

        Args:
            inputs: dict of integer tensors, as for a call.

        Returns:
            List of integer tensors. Features of a group with one value each
            are read together, those with several values one value after the
            other.
        """
        result = []
        for members in self.groups.values():
            for run in self._runs(members):
                ids = [ops.cast(inputs[name], "int32") for name, _ in run]
                if run[0][0] in self.multivalued:
                    (_, table), *_ = run
                    slots = ids[0] + self.offsets[table]
                    result += [
                        slots[..., value] for value in range(slots.shape[-1])
                    ]
                    continue
                offsets = [self.offsets[table] for _, table in run]
                result.append(
                    ops.stack(ids, axis=-1)
                    + ops.convert_to_tensor(offsets, dtype="int32")
                )
        return result

    def read(self, rows: list[Any]) -> list[Any]:
        """Gathers rows of the table.

        Args:
            rows: list of integer tensors.

        Returns:
            List of float tensors with one more axis, of size `dim`.
        """
        value = self.embeddings.value
        if hasattr(value, "sparse_read"):
            # A variable of TensorFlow: reading all of one whose rows were
            # updated in place copies it.
            return [value.sparse_read(numbers) for numbers in rows]
        return [ops.take(value, numbers, axis=0) for numbers in rows]

    @contextlib.contextmanager
    def reading_by(
        self, reader: Callable[[list[Any]], list[Any]]
    ) -> Iterator[None]:
        """Makes calls read rows in another way than `read`.

        What trains the table by rows needs the gradient of what was read,
        where differentiating by the table gives one as large as the table.

        Args:
            reader: function that takes and returns what `read` does.
        """
        self._reader = reader
        try:
            yield
        finally:
            self._reader = None

    def _runs(self, members: Any) -> list[list[tuple[str, str]]]:
        """Neighbours with one value each stay together: few pieces."""
        runs: list[list[tuple[str, str]]] = []
        alone = True
        for name, table in members:
            if name in self.multivalued or alone:
                runs.append([])
            alone = name in self.multivalued
            runs[-1].append((name, table))
        return runs

    def _combine(self, inputs: Any, members: Any, vectors: Any) -> Any:
        """Averages multiple values and puts the parts of a group together."""
        parts = []
        for run in self._runs(members):
            name, _ = run[0]
            if name in self.multivalued:
                ids = inputs[name]
                slots = [next(vectors) for _ in range(ids.shape[-1])]
                mean = _mean_of_values(slots, ids, self.compute_dtype)
                parts.append(ops.expand_dims(mean, -2))
            else:
                parts.append(ops.cast(next(vectors), self.compute_dtype))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-2)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        shapes = {}
        for group, members in self.groups.items():
            name, _ = members[0]
            shape = tuple(inputs_shape[name])
            if name in self.multivalued:
                shape = shape[:-1]
            shapes[group] = (*shape, len(members), self.dim)
        return shapes


def _mean_of_values(slots: list[Any], ids: Any, dtype: Any) -> Any:
    """Mean over the slots whose id is not 0.

    Slot by slot: a gather, a product and a sum become one loop under XLA,
    where a tensor with an axis of values would have to be written first.
    """
    known = ops.cast(ops.not_equal(ids, 0), dtype)
    count = ops.sum(known, axis=-1, keepdims=True)
    weights = known / ops.maximum(count, 1)
    # Without any value the first slot, row 0, stands for "missing".
    empty = ops.cast(ops.equal(count, 0), dtype)
    total = ops.cast(slots[0], dtype) * (weights[..., :1] + empty)
    for i, slot in enumerate(slots[1:], 1):
        total = total + ops.cast(slot, dtype) * weights[..., i : i + 1]
    return total
