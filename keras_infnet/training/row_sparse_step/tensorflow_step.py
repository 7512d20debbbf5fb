"""The row-sparse training step on TensorFlow."""

from typing import Any

import keras
from keras import tree

from keras_infnet.optimizers.row_sparse_optimizer import is_table
from keras_infnet.training.row_sparse_step.gathered_rows import (
    fill_missing,
    in_order_of_variables,
    row_gradients,
    using_rows,
)

__all__ = ["tensorflow_step"]


def tensorflow_step(
    model: Any, layers: list[Any], data: Any, jit_compile: bool
) -> Any:
    """Trains on a batch with row-sparse updates; returns the metrics.

    With `jit_compile`, XLA compiles the forward and backward pass, but not
    the reads and writes of tables, because XLA would copy these.
    """
    import tensorflow as tf

    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "row-sparse updates of tables run on one device only. Under a "
            "strategy with several replicas compile with "
            "embedding_optimizer='dense'."
        )
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    rows = [layer.rows(x) for layer in layers]
    dense = [v for v in model.trainable_variables if not is_table(v)]

    def forward_and_backward(x: Any, y: Any, weights: Any, vectors: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            with using_rows(layers, vectors):
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
    vectors = [
        layer.read(pieces) for layer, pieces in zip(layers, rows, strict=True)
    ]
    y_pred, gradients = forward_and_backward(x, y, weights, vectors)
    of_tables = map(row_gradients, rows, fill_missing(gradients[1], vectors))
    gradients = in_order_of_variables(model, layers, gradients[0], of_tables)
    model.optimizer.apply(gradients, model.trainable_variables)
    return model.compute_metrics(x, y, y_pred, sample_weight=weights)
