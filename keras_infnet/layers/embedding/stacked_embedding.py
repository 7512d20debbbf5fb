"""One variable for all embedding tables."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.embedding.large_table_initializer import (
    drawn_in_pieces,
)

__all__ = ["StackedEmbedding"]


@export("keras_infnet.layers.StackedEmbedding")
class StackedEmbedding(BaseLayer):
    """Embeds all features with embedding tables stacked in one variable.

    The ids of a feature are shifted by the offset of its table. Features that
    share a table share its rows. Row 0 of a table means "missing or
    unknown" and is trained like any other row.

    The embedding of a multi-valued feature is the mean over its non-zero ids,
    or row 0 if it has none.

    Args:
        table_sizes: mapping of table name to number of rows, including row 0.
        groups: mapping of group name to a list of `(input, table)` pairs.
            The inputs of a group have the same shape, except that
            multi-valued inputs have a last axis of values.
        multivalued: sequence of strings. Names of the multi-valued inputs.
            Defaults to `()`.
        dim: integer. Width of an embedding. Defaults to `64`.
        row_multiple: integer. The variable is padded to a multiple of this
            many rows, so that it can be sharded by rows. Defaults to `8`.
        embeddings_initializer: initializer of the table. Defaults to
            `"uniform"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        inputs: dict of integer tensors of shape `(batch, ...)`, ids that are
            at least 0 and below the size of their table.

    Returns:
        Dict of group name to tensor of shape `(batch, ..., inputs, dim)`, with
        inputs in the order of the group.

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
        self._store(locals())
        self.table_sizes = dict(table_sizes)
        self.groups = {
            group: [(name, table) for name, table in members]
            for group, members in groups.items()
        }
        self._reader: Callable[[list[Any]], list[Any]] | None = None
        self.offsets: dict[str, int] = {}
        rows = 0
        for table, size in self.table_sizes.items():
            self.offsets[table] = rows
            rows += size
        # On PyTorch, Keras builds models with ids of 1, which would be out of
        # range for a last table of one row.
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
            # Casting would copy the whole table in every step; the gathered
            # rows are cast instead.
            autocast=False,
        )
        # Makes `keras_infnet.optimizers` update only the rows of a batch.
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
        """Tells which inputs of one row need not be repeated.

        Args:
            names: names of the inputs with a batch size of 1.

        Returns:
            The inputs among them that can stay so, because all inputs of
            their groups have one row, and the groups that then have one row.
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
        """Returns the indices of the table rows that a batch reads.

        Args:
            inputs: dict of integer tensors, as for a call.

        Returns:
            List of integer tensors: one for adjacent single-valued features
            of a group, and one for each value of a multi-valued feature.
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
            # On TensorFlow, reading the whole variable copies it if rows were
            # updated in place.
            return [value.sparse_read(numbers) for numbers in rows]
        return [ops.take(value, numbers, axis=0) for numbers in rows]

    @contextlib.contextmanager
    def reading_by(
        self, reader: Callable[[list[Any]], list[Any]]
    ) -> Iterator[None]:
        """Replaces `read` within a `with` block.

        The row-sparse training step differentiates with respect to the rows
        that were read, since the gradient of the table would be as large as
        the table.

        Args:
            reader: callable with the argument and the result of `read`.
        """
        self._reader = reader
        try:
            yield
        finally:
            self._reader = None

    def _runs(self, members: Any) -> list[list[tuple[str, str]]]:
        """Splits a group; adjacent single-valued features stay together."""
        runs: list[list[tuple[str, str]]] = []
        alone = True
        for name, table in members:
            if name in self.multivalued or alone:
                runs.append([])
            alone = name in self.multivalued
            runs[-1].append((name, table))
        return runs

    def _combine(self, inputs: Any, members: Any, vectors: Any) -> Any:
        """Averages multiple values and concatenates the parts of a group."""
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

    Computed slot by slot, because XLA fuses gather, product and sum into one
    loop, but would first write a tensor with an axis of values to memory.
    """
    known = ops.cast(ops.not_equal(ids, 0), dtype)
    count = ops.sum(known, axis=-1, keepdims=True)
    weights = known / ops.maximum(count, 1)
    # Without any value, the first slot holds row 0, "missing".
    empty = ops.cast(ops.equal(count, 0), dtype)
    total = ops.cast(slots[0], dtype) * (weights[..., :1] + empty)
    for i, slot in enumerate(slots[1:], 1):
        total = total + ops.cast(slot, dtype) * weights[..., i : i + 1]
    return total
