"""Gathered rows in place of tables, for the steps of all backends."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_infnet.optimizers.row_gradients import RowGradients

__all__ = [
    "fill_missing",
    "in_order_of_variables",
    "row_gradients",
    "using_rows",
]


@contextlib.contextmanager
def using_rows(layers: Any, vectors: Any) -> Iterator[None]:
    """Makes the layers use these vectors in place of lookups."""
    with contextlib.ExitStack() as stack:
        for layer, pieces in zip(layers, vectors, strict=True):
            stack.enter_context(layer.reading_by(lambda _, given=pieces: given))
        yield


def fill_missing(gradients: Any, vectors: Any) -> list[list[Any]]:
    """Replaces missing gradients of unused rows by zeros, as JAX does."""
    return [
        [
            ops.zeros_like(vector) if gradient is None else gradient
            for gradient, vector in zip(found, pieces, strict=True)
        ]
        for found, pieces in zip(gradients, vectors, strict=True)
    ]


def row_gradients(rows: Any, gradients: Any, gathered: Any = None) -> Any:
    """Returns the `RowGradients` of a table, with flattened batch axes."""

    def flat(pieces: Any) -> list[Any]:
        return [ops.reshape(piece, (-1, piece.shape[-1])) for piece in pieces]

    return RowGradients(
        [ops.reshape(piece, (-1,)) for piece in rows],
        flat(gradients),
        None if gathered is None else flat(gathered),
    )


def in_order_of_variables(
    model: Any, layers: Any, dense: Any, of_tables: Any
) -> list[Any]:
    """Merges gradients into the order of the model's trainable variables."""
    tables = {
        id(layer.embeddings): gradient
        for layer, gradient in zip(layers, of_tables, strict=True)
    }
    left = iter(dense)
    return [
        tables[id(v)] if id(v) in tables else next(left)
        for v in model.trainable_variables
    ]
