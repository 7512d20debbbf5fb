"""The row-sparse training step on JAX."""

from typing import Any

import keras
from keras import ops

from keras_infnet.optimizers.row_gradients import DistinctRows
from keras_infnet.optimizers.row_sparse_optimizer import is_table
from keras_infnet.training.row_sparse_step.gathered_rows import (
    in_order_of_variables,
    row_gradients,
    using_rows,
)

__all__ = ["jax_step"]


def jax_step(model: Any, layers: list[Any], state: Any, data: Any) -> Any:
    """Trains on a batch; returns the metrics and the new state.

    `state` holds the four lists of values of `keras.Model.train_step`.
    """
    import jax

    trained, others, of_optimizer, of_metrics = state
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_variables
    value_of = dict(zip(map(id, variables), trained, strict=True))
    rows = [layer.rows(x) for layer in layers]
    tables = [value_of[id(layer.embeddings)] for layer in layers]
    # For a table with fewer rows than the batch gathers, the gradient of the
    # whole table is smaller, and XLA can fuse the gathers with their uses.
    small = [
        table.shape[0] <= sum(piece.size for piece in pieces)
        for table, pieces in zip(tables, rows, strict=True)
    ]
    sources = [
        table if whole else [_gather(table, piece) for piece in pieces]
        for table, pieces, whole in zip(tables, rows, small, strict=True)
    ]

    def loss_of(dense: Any, sources: Any) -> Any:
        left = iter(dense)
        values = [
            value if is_table(variable) else next(left)
            for variable, value in zip(variables, trained, strict=True)
        ]
        vectors = [
            [_gather(source, piece) for piece in pieces] if whole else source
            for source, pieces, whole in zip(sources, rows, small, strict=True)
        ]
        with using_rows(layers, vectors):
            return model.compute_loss_and_updates(
                values,
                others,
                of_metrics,
                x,
                y,
                weights,
                training=True,
                optimizer_variables=of_optimizer,
            )

    dense = [
        value
        for variable, value in zip(variables, trained, strict=True)
        if not is_table(variable)
    ]
    (_, (loss, y_pred, others, of_metrics)), gradients = jax.value_and_grad(
        loss_of, argnums=(0, 1), has_aux=True
    )(dense, sources)
    of_tables = [
        _rows_of_whole(table, gradient, pieces)
        if whole
        else row_gradients(pieces, gradient, source)
        for table, gradient, source, pieces, whole in zip(
            tables, gradients[1], sources, rows, small, strict=True
        )
    ]
    trained, of_optimizer = model.optimizer.stateless_apply(
        of_optimizer,
        in_order_of_variables(model, layers, gradients[0], of_tables),
        trained,
    )
    logs, of_metrics = model._update_metrics_variables(
        of_metrics, loss, x, y, y_pred, weights
    )
    return logs, (trained, others, of_optimizer, of_metrics)


def _gather(table: Any, rows: Any) -> Any:
    return table.at[rows].get(mode="clip")


def _rows_of_whole(table: Any, gradient: Any, rows: list[Any]) -> DistinctRows:
    """Returns the rows that were read from the gradient of a whole table."""
    count = table.shape[0]
    read = ops.zeros((count,), "bool")
    for numbers in rows:
        read = read.at[numbers].set(True)
    numbers = ops.where(read, ops.arange(count, dtype="int32"), count)
    return DistinctRows(numbers, gradient, table)
