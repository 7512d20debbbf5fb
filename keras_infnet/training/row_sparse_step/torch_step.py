"""The row-sparse training step on PyTorch."""

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

__all__ = ["torch_step"]


def torch_step(model: Any, layers: list[Any], data: Any) -> Any:
    """Trains on a batch with row-sparse updates; returns the metrics."""
    import torch

    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    with torch.no_grad():
        rows = [layer.rows(x) for layer in layers]
        vectors = [
            [piece.detach().requires_grad_() for piece in layer.read(pieces)]
            for layer, pieces in zip(layers, rows, strict=True)
        ]
    with using_rows(layers, vectors):
        y_pred = model(x, training=True)
    model.zero_grad()
    loss = model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=weights, training=True
    )
    count = tree.flatten(x)[0].shape[0]
    model._loss_tracker.update_state(loss, sample_weight=count)
    model.optimizer.scale_loss(loss).backward()
    variables = model.trainable_variables
    with torch.no_grad():
        found = [[vector.grad for vector in pieces] for pieces in vectors]
        gradients = in_order_of_variables(
            model,
            layers,
            [v.value.grad for v in variables if not is_table(v)],
            map(row_gradients, rows, fill_missing(found, vectors)),
        )
        model.optimizer.apply(gradients, variables)
    return model.compute_metrics(x, y, y_pred, sample_weight=weights)
