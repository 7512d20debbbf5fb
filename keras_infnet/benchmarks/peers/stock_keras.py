"""Models of stock Keras: `keras.layers.Embedding`, a Keras optimizer."""

from typing import Any

import keras
from keras import ops

from keras_infnet.data.batching.batch_arrays import input_shapes
from keras_infnet.schema import Field, Schema

__all__ = ["embedding_only", "shared_bottom"]


def embedding_only(schema: Schema, dim: int, dtype: str = "float32") -> Any:
    """Builds the model of `EmbeddingOnly` with one layer per table."""
    inputs, tables = _inputs(schema), _tables(schema, dim, dtype)
    tokens = [
        tables[part.table_name](inputs[part.name]) for part in schema.fields
    ]
    pooled = keras.layers.Add(dtype=dtype)(tokens) if tokens[1:] else tokens[0]
    outputs = {
        name: keras.layers.Dense(1, "sigmoid", dtype="float32", name=name)(
            pooled
        )
        for name in schema.task_names
    }
    return _compiled(inputs, outputs, keras.optimizers.Adagrad(0.05))


def shared_bottom(
    schema: Schema,
    dim: int,
    hidden_dims: tuple[int, ...] = (128, 64),
    tower_dims: tuple[int, ...] = (64,),
    dtype: str = "float32",
) -> Any:
    """Builds a Shared-Bottom from Keras layers.

    Lists of ids and behaviors are averaged over all positions.
    """
    inputs, tables = _inputs(schema), _tables(schema, dim, dtype)

    def read(name: str, part: Field) -> Any:
        vectors = tables[part.table_name](inputs[name])
        axes = tuple(range(1, len(vectors.shape) - 1))
        return ops.mean(vectors, axis=axes) if axes else vectors

    parts = [read(name, part) for name, part, _ in schema.columns()]
    hidden = keras.layers.Concatenate(dtype=dtype)(parts)
    for width in hidden_dims:
        hidden = keras.layers.Dense(width, "relu", dtype=dtype)(hidden)
    outputs = {}
    for name in schema.task_names:
        tower = hidden
        for width in tower_dims:
            tower = keras.layers.Dense(width, "relu", dtype=dtype)(tower)
        outputs[name] = keras.layers.Dense(
            1, "sigmoid", dtype="float32", name=name
        )(tower)
    metrics = {name: [keras.metrics.AUC(name="auc")] for name in outputs}
    optimizer = keras.optimizers.AdamW(1e-3)
    return _compiled(inputs, outputs, optimizer, weighted_metrics=metrics)


def _inputs(schema: Schema) -> dict[str, Any]:
    shapes = input_shapes(schema)
    return {
        name: keras.Input(shape=shapes[name], dtype=spec.dtype, name=name)
        for name, spec in schema.inputs.items()
    }


def _tables(schema: Schema, dim: int, dtype: str) -> dict[str, Any]:
    return {
        table: keras.layers.Embedding(
            schema.table_size(table), dim, dtype=dtype, name=f"{table}_table"
        )
        for table in schema.tables
    }


def _compiled(inputs: Any, outputs: Any, optimizer: Any, **kwargs: Any) -> Any:
    model = keras.Model(inputs, outputs)
    losses = dict.fromkeys(outputs, "binary_crossentropy")
    model.compile(optimizer=optimizer, loss=losses, **kwargs)
    return model
