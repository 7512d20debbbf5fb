"""A model that is all tables: what embedding and its update cost."""

from typing import Any

import keras
from keras import ops

from keras_infnet.models.base.features import embed, make_inputs
from keras_infnet.models.base.ranker import Ranker
from keras_infnet.schema import Schema

__all__ = ["EmbeddingOnly"]


class EmbeddingOnly(Ranker):
    """Adds up the embeddings of all fields; one unit a task reads the sum."""

    def __init__(
        self,
        schema: Schema,
        dim: int = 32,
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        inputs = make_inputs(schema)
        initializer = keras.initializers.get(embeddings_initializer)
        fields, _ = embed(schema, inputs, dim, initializer, kwargs.get("dtype"))
        pooled = ops.sum(fields, axis=1)
        outputs = {
            name: keras.layers.Dense(1, "sigmoid", dtype="float32", name=name)(
                pooled
            )
            for name in schema.task_names
        }
        super().__init__(schema, inputs, outputs, **kwargs)
        self.dim = dim
        self.embeddings_initializer = initializer

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dim": self.dim,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
        }
