"""All embedding tables as one, read by one gather."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.arguments import check_positive

__all__ = ["RowsRead", "StackedEmbedding"]


@dataclasses.dataclass(frozen=True)
class RowsRead:
    """Rows of a stacked table, read for a batch.

    Args:
        widths: list with the number of rows read for each group.
        rows: integer tensor of shape `(batch, n)`, the row numbers.
        vectors: float tensor of shape `(batch, n, dim)`, the rows.
    """

    widths: list[Any]
    rows: Any
    vectors: Any


@export("keras_infnet.layers.StackedEmbedding")
class StackedEmbedding(keras.layers.Layer):
    """Embeds every id of a row with one gather from one table.

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
        self._in_use: RowsRead | None = None
        self.offsets: dict[str, int] = {}
        rows = 0
        for table, size in self.table_sizes.items():
            self.offsets[table] = rows
            rows += size
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
            initializer=self.embeddings_initializer,
            # Casting would copy the whole table in every step: the gathered
            # rows are cast instead.
            autocast=False,
        )
        # Optimisers of `keras_infnet.optimizers` update it by rows.
        self.embeddings.row_sparse = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        read = self._in_use or self.read(inputs)
        vectors = ops.cast(read.vectors, self.compute_dtype)
        parts = _split(vectors, read.widths)
        return {
            group: self._combine(inputs, members, part)
            for (group, members), part in zip(
                self.groups.items(), parts, strict=True
            )
        }

    def read(self, inputs: Any) -> RowsRead:
        """Reads the rows that a batch needs, with one gather.

        Args:
            inputs: dict of integer tensors, as for a call.

        Returns:
            `RowsRead`.
        """
        flat = [
            self._group_rows(inputs, members)
            for members in self.groups.values()
        ]
        rows = ops.concatenate(flat, axis=1) if len(flat) > 1 else flat[0]
        widths = [
            part.shape[1]
            if isinstance(part.shape[1], int)
            else ops.shape(part)[1]
            for part in flat
        ]
        return RowsRead(widths, rows, self.gather(rows))

    @contextlib.contextmanager
    def using(self, read: RowsRead, vectors: Any) -> Iterator[None]:
        """Makes calls use rows that were read before.

        Differentiating by `vectors` then gives the gradients of these rows,
        where differentiating by the table gives as many as it has rows.

        Args:
            read: `RowsRead` for the inputs of the call.
            vectors: tensor of the shape of `read.vectors`, in its place.
        """
        self._in_use = dataclasses.replace(read, vectors=vectors)
        try:
            yield
        finally:
            self._in_use = None

    def gather(self, rows: Any) -> Any:
        """Reads rows of the stacked table: `(batch, n)` to `(..., dim)`."""
        value = self.embeddings.value
        if hasattr(value, "sparse_read"):
            # A variable of TensorFlow: reading all of one whose rows were
            # updated in place copies it.
            return value.sparse_read(rows)
        return ops.take(value, rows, axis=0)

    def _group_rows(self, inputs: Any, members: Any) -> Any:
        """Row numbers of a group: `(batch, positions * values)`."""
        columns, offsets = [], []
        for name, table in members:
            ids = ops.cast(inputs[name], "int32")
            if name not in self.multivalued:
                ids = ops.expand_dims(ids, -1)
            columns.append(ids)
            offsets += [self.offsets[table]] * ids.shape[-1]
        rows = ops.concatenate(columns, axis=-1)
        rows = rows + ops.convert_to_tensor(offsets, dtype="int32")
        if len(rows.shape) == 2:
            return rows
        events = ops.shape(rows)[1]
        return ops.reshape(rows, (-1, events * rows.shape[2]))

    def _combine(self, inputs: Any, members: Any, vectors: Any) -> Any:
        """Restores the axes of a group and averages multiple values."""
        widths = [
            inputs[name].shape[-1] if name in self.multivalued else 1
            for name, _ in members
        ]
        name, _ = members[0]
        if len(inputs[name].shape) - (name in self.multivalued) == 2:
            vectors = ops.reshape(
                vectors,
                (-1, ops.shape(inputs[name])[1], sum(widths), self.dim),
            )
        # Neighbours with one value each stay together: few pieces.
        runs: list[tuple[str | None, int]] = []
        for (name, _), width in zip(members, widths, strict=True):
            if name in self.multivalued:
                runs.append((name, width))
            elif runs and runs[-1][0] is None:
                runs[-1] = (None, runs[-1][1] + width)
            else:
                runs.append((None, width))
        if runs == [(None, sum(widths))]:
            return vectors
        ends = [sum(w for _, w in runs[:i]) for i in range(1, len(runs))]
        pieces = ops.split(vectors, ends, axis=-2) if ends else [vectors]
        return ops.concatenate(
            [
                piece if name is None else _mean_of_values(piece, inputs[name])
                for (name, _), piece in zip(runs, pieces, strict=True)
            ],
            axis=-2,
        )

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        shapes = {}
        for group, members in self.groups.items():
            name, _ = members[0]
            shape = tuple(inputs_shape[name])
            if name in self.multivalued:
                shape = shape[:-1]
            shapes[group] = (*shape, len(members), self.dim)
        return shapes

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            table_sizes=self.table_sizes,
            groups={
                group: [list(pair) for pair in members]
                for group, members in self.groups.items()
            },
            multivalued=list(self.multivalued),
            dim=self.dim,
            row_multiple=self.row_multiple,
            embeddings_initializer=keras.initializers.serialize(
                self.embeddings_initializer
            ),
        )
        return config


def _mean_of_values(vectors: Any, ids: Any) -> Any:
    known = ops.cast(ops.not_equal(ids, 0), vectors.dtype)
    count = ops.sum(known, axis=-1, keepdims=True)
    # Without any value the first slot, row 0, stands for "missing".
    first = ops.one_hot(ops.zeros_like(ids[..., 0]), ids.shape[-1])
    empty = ops.cast(ops.equal(count, 0), vectors.dtype)
    weights = known / ops.maximum(count, 1) + empty * ops.cast(
        first, vectors.dtype
    )
    return ops.sum(
        vectors * ops.expand_dims(weights, -1), axis=-2, keepdims=True
    )


def _split(vectors: Any, widths: list[Any]) -> Any:
    """Cuts `(batch, rows, dim)` to pieces of these numbers of rows."""
    if len(widths) == 1:
        return [vectors]
    if all(isinstance(width, int) for width in widths):
        # One split has one gradient, a concatenation; slices would each pad.
        ends = [sum(widths[:i]) for i in range(1, len(widths))]
        return ops.split(vectors, ends, axis=1)
    pieces, start = [], 0
    for width in widths:
        piece = vectors[:, start : start + width]
        if isinstance(width, int):
            piece = ops.reshape(piece, (-1, width, vectors.shape[-1]))
        pieces.append(piece)
        start = start + width
    return pieces
