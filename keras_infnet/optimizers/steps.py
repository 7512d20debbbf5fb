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
    reads = [layer.read(x) for layer in layers]
    dense = [v for v in model.trainable_variables if not is_table(v)]

    def forward_and_backward(x: Any, y: Any, weights: Any, vectors: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            with _reading(layers, reads, vectors):
                y_pred = model(x, training=True)
            loss = model._compute_loss(
                x=x,
                y=y,
                y_pred=y_pred,
                sample_weight=weights,
                training=True,
            )
            rows = tf.shape(tree.flatten(x)[0])[0]
            model._loss_tracker.update_state(loss, sample_weight=rows)
            scaled = model.optimizer.scale_loss(loss)
        sources = [[v.value for v in dense], vectors]
        return y_pred, tape.gradient(scaled, sources)

    if jit_compile:
        forward_and_backward = tf.function(
            forward_and_backward, jit_compile=True, autograph=False
        )
    vectors = [read.vectors for read in reads]
    y_pred, gradients = forward_and_backward(x, y, weights, vectors)
    gradients = _together(model, layers, reads, *gradients)
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
        reads = [layer.read(x) for layer in layers]
    vectors = [read.vectors.detach().requires_grad_() for read in reads]
    with _reading(layers, reads, vectors):
        y_pred = model(x, training=True)
    model.zero_grad()
    loss = model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=weights, training=True
    )
    rows = tree.flatten(x)[0].shape[0]
    model._loss_tracker.update_state(loss, sample_weight=rows)
    model.optimizer.scale_loss(loss).backward()
    dense = [v for v in model.trainable_variables if not is_table(v)]
    gradients = _together(
        model,
        layers,
        reads,
        [v.value.grad for v in dense],
        [vector.grad for vector in vectors],
    )
    with torch.no_grad():
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

    trained, others, of_optimizer, of_metrics = state
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_variables
    with keras.StatelessScope(
        state_mapping=list(zip(variables, trained, strict=True))
    ):
        reads = [layer.read(x) for layer in layers]

    def loss_of(dense: Any, vectors: Any) -> Any:
        values = _merged(variables, dense, trained)
        with _reading(layers, reads, vectors):
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
        [read.vectors for read in reads],
    )
    trained, of_optimizer = model.optimizer.stateless_apply(
        of_optimizer,
        _together(model, layers, reads, *gradients),
        trained,
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


@contextlib.contextmanager
def _reading(layers: Any, reads: Any, vectors: Any) -> Any:
    """Makes the layers use `vectors` in place of what they would read."""
    with contextlib.ExitStack() as stack:
        for layer, read, values in zip(layers, reads, vectors, strict=True):
            stack.enter_context(layer.using(read, values))
        yield


def _together(
    model: Any, layers: Any, reads: Any, dense: Any, of_rows: Any
) -> list[Any]:
    """Gradients in the order of the model's trainable variables."""
    of_tables = {}
    for layer, read, values in zip(layers, reads, of_rows, strict=True):
        of_tables[id(layer.embeddings)] = RowGradients(
            ops.reshape(read.rows, (-1,)),
            ops.reshape(values, (-1, values.shape[-1])),
            ops.reshape(read.vectors, (-1, values.shape[-1])),
        )
    left = iter(dense)
    return [
        of_tables[id(v)] if id(v) in of_tables else next(left)
        for v in model.trainable_variables
    ]
