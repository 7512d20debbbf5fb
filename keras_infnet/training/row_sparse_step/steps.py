"""Training steps that differentiate by the rows that were read.

Each is the step of Keras's own trainer for one backend, but for the tables:
their rows are read first, the forward pass uses them in place of the tables,
and the gradient by them is what the optimiser gets.
"""

import contextlib
from typing import Any

import keras
from keras import ops, tree

from keras_infnet.optimizers.row_gradients import RowGradients
from keras_infnet.optimizers.row_sparse_optimizer import is_table
from keras_infnet.optimizers.rows_of_variables import all_rows

__all__ = ["jax_step", "tensorflow_step", "torch_step"]


def tensorflow_step(
    model: Any, layers: list[Any], data: Any, jit_compile: bool
) -> Any:
    """One step on TensorFlow.

    Args:
        model: a compiled `keras.Model`.
        layers: its layers with a table each.
        data: batch, as `keras.Model.train_step` takes it.
        jit_compile: whether XLA compiles forward and backward pass. Reading
            and writing tables stays outside: XLA would copy them.

    Returns:
        Dict of metrics.
    """
    import tensorflow as tf

    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "tables are trained by rows on one device only. Under a strategy "
            "with several replicas compile with embedding_optimizer='dense'."
        )
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    rows = [layer.rows(x) for layer in layers]
    dense = [v for v in model.trainable_variables if not is_table(v)]

    def forward_and_backward(x: Any, y: Any, weights: Any, vectors: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            with _giving(layers, vectors):
                y_pred = model(x, training=True)
            loss = model._compute_loss(
                x=x,
                y=y,
                y_pred=y_pred,
                sample_weight=weights,
                training=True,
            )
            count = tf.shape(tree.flatten(x)[0])[0]
            model._loss_tracker.update_state(loss, sample_weight=count)
            scaled = model.optimizer.scale_loss(loss)
        sources = [[v.value for v in dense], vectors]
        return y_pred, tape.gradient(scaled, sources)

    if jit_compile:
        forward_and_backward = tf.function(
            forward_and_backward, jit_compile=True, autograph=False
        )
    vectors = _read(layers, rows)
    y_pred, gradients = forward_and_backward(x, y, weights, vectors)
    of_vectors = _filled(gradients[1], vectors)
    gradients = _together(model, layers, gradients[0], _flat(rows, of_vectors))
    model.optimizer.apply(gradients, model.trainable_variables)
    return model.compute_metrics(x, y, y_pred, sample_weight=weights)


def torch_step(model: Any, layers: list[Any], data: Any) -> Any:
    """One step on PyTorch.

    Args:
        model: a compiled `keras.Model`.
        layers: its layers with a table each.
        data: batch, as `keras.Model.train_step` takes it.

    Returns:
        Dict of metrics.
    """
    import torch

    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    with torch.no_grad():
        rows = [layer.rows(x) for layer in layers]
        vectors = [
            [piece.detach().requires_grad_() for piece in pieces]
            for pieces in _read(layers, rows)
        ]
    with _giving(layers, vectors):
        y_pred = model(x, training=True)
    model.zero_grad()
    loss = model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=weights, training=True
    )
    count = tree.flatten(x)[0].shape[0]
    model._loss_tracker.update_state(loss, sample_weight=count)
    model.optimizer.scale_loss(loss).backward()
    with torch.no_grad():
        gradients = _together(
            model,
            layers,
            [
                v.value.grad
                for v in model.trainable_variables
                if not is_table(v)
            ],
            _flat(
                rows,
                _filled(
                    [[v.grad for v in pieces] for pieces in vectors], vectors
                ),
            ),
        )
        model.optimizer.apply(gradients, model.trainable_variables)
    return model.compute_metrics(x, y, y_pred, sample_weight=weights)


def jax_step(model: Any, layers: list[Any], state: Any, data: Any) -> Any:
    """One step on JAX, a pure function of state and batch.

    Args:
        model: a compiled `keras.Model`.
        layers: its layers with a table each.
        state: the four lists of values of `keras.Model.train_step`.
        data: batch, as `keras.Model.train_step` takes it.

    Returns:
        Dict of metrics and the new state.
    """
    import jax

    def take(table: Any, numbers: Any) -> Any:
        return table.at[numbers].get(mode="clip")

    trained, others, of_optimizer, of_metrics = state
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_variables
    value_of = dict(zip(map(id, variables), trained, strict=True))
    rows = [layer.rows(x) for layer in layers]
    tables = [value_of[id(layer.embeddings)] for layer in layers]
    # A table with fewer rows than the batch has places is the smaller thing
    # to differentiate by; its gathers then become one loop with their uses.
    small = [
        table.shape[0] <= sum(piece.size for piece in pieces)
        for table, pieces in zip(tables, rows, strict=True)
    ]
    sources = [
        table if whole else [take(table, piece) for piece in pieces]
        for table, pieces, whole in zip(tables, rows, small, strict=True)
    ]

    def loss_of(dense: Any, sources: Any) -> Any:
        values = _merged(variables, dense, trained)
        vectors = [
            [take(source, piece) for piece in pieces] if whole else source
            for source, pieces, whole in zip(sources, rows, small, strict=True)
        ]
        with _giving(layers, vectors):
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

    (_, (loss, y_pred, others, of_metrics)), gradients = jax.value_and_grad(
        loss_of, argnums=(0, 1), has_aux=True
    )(
        [
            value
            for variable, value in zip(variables, trained, strict=True)
            if not is_table(variable)
        ],
        sources,
    )
    of_tables = [
        all_rows(table, gradient, pieces)
        if whole
        else _flat([pieces], [gradient], [source])[0]
        for table, gradient, source, pieces, whole in zip(
            tables, gradients[1], sources, rows, small, strict=True
        )
    ]
    trained, of_optimizer = model.optimizer.stateless_apply(
        of_optimizer, _together(model, layers, gradients[0], of_tables), trained
    )
    logs, of_metrics = model._update_metrics_variables(
        of_metrics, loss, x, y, y_pred, weights
    )
    return logs, (trained, others, of_optimizer, of_metrics)


def _merged(variables: Any, dense: Any, values: Any) -> list[Any]:
    """Puts new dense values among the old ones of tables."""
    left = iter(dense)
    return [
        value if is_table(variable) else next(left)
        for variable, value in zip(variables, values, strict=True)
    ]


def _read(layers: Any, rows: Any) -> list[list[Any]]:
    return [
        layer.read(pieces) for layer, pieces in zip(layers, rows, strict=True)
    ]


@contextlib.contextmanager
def _giving(layers: Any, vectors: Any) -> Any:
    """Makes the layers use these vectors in place of what they would read."""
    with contextlib.ExitStack() as stack:
        for layer, pieces in zip(layers, vectors, strict=True):
            stack.enter_context(layer.reading_by(lambda _, given=pieces: given))
        yield


def _filled(gradients: Any, vectors: Any) -> list[list[Any]]:
    """Zeros for what was read and not used, as JAX has them."""
    return [
        [
            ops.zeros_like(vector) if gradient is None else gradient
            for gradient, vector in zip(found, pieces, strict=True)
        ]
        for found, pieces in zip(gradients, vectors, strict=True)
    ]


def _flat(
    rows: Any, gradients: Any, gathered: Any = None
) -> list[RowGradients]:
    """Gradients of the places of every table, without the axes of a batch."""

    def flat(pieces: Any) -> list[Any]:
        return [ops.reshape(piece, (-1, piece.shape[-1])) for piece in pieces]

    return [
        RowGradients(
            [ops.reshape(piece, (-1,)) for piece in numbers],
            flat(values),
            None if gathered is None else flat(gathered[i]),
        )
        for i, (numbers, values) in enumerate(zip(rows, gradients, strict=True))
    ]


def _together(model: Any, layers: Any, dense: Any, of_tables: Any) -> list[Any]:
    """Gradients in the order of the model's trainable variables."""
    tables = {
        id(layer.embeddings): gradient
        for layer, gradient in zip(layers, of_tables, strict=True)
    }
    left = iter(dense)
    return [
        tables[id(v)] if id(v) in tables else next(left)
        for v in model.trainable_variables
    ]
